"""Everything that draws: tensors to images, plots with axes, charts, animations.

images.grid         images in a grid
axes.canvas         a plot with axes and a legend
charts.kl_chart     bars
animation.ModelHistory   a model as it learns
latent.motion       pictures of a latent space
plane.is_2d      points of a plane
regions.regions_plot  which part of a plane a model gives to which class
tables.table_pictures  pictures of a table's model
curves.curves       learning curves
gallery.side_by_side   pictures of several runs
search.history      the trials of a search
"""
