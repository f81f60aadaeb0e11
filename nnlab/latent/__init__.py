"""Computations in a trained model's latent space; `plotting` draws the results.

traversal.traverse        motion along the coordinates
interpolation.about        the way from one code to another
walk.closed_walk           a closed walk through several codes
codes.moments              means and directions of codes
code_file.CodeFile         codes in a small file
"""
