"""Trained networks that judge what other models make.

judge.Judge         compares samples and reconstructions with data
domains.DomainJudges  compares translations between two domains with the images of each
words.WordJudges      read from samples of texts what the texts say
panel.Panel           what several judges in place of one share
build.build_judge   the judge that a config names
inception.Inception   torchvision's Inception v3 as features
"""
