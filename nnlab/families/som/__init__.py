"""Self-organizing maps: units on a lattice spread over the data.

som.SOM             the map
lattice.Lattice     where the units lie
trainer.MapTrainer  its trainer
"""
