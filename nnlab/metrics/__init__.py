"""Formulas that measure a model: tensors in, numbers out, each with its source and unit.

reconstruction.reconstruction_figures  mse, psnr, ssim
likelihood.importance_sampled          log p(x) by importance sampling
partition.ais                          log Z by annealed importance sampling
frechet.frechet_distance               between two sets of features
clustering.agreement                   of clusters with classes
probe.accuracy                         of logistic regression on features
main.main_figures                      the most important metrics
"""
