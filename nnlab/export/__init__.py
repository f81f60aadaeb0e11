"""A trained model as files that other programs read.

weights.write       all weights in a safetensors file, with what builds the model again
weights.read        the same, read
parts.parts_of      encoder, decoder, generator, … of a model: functions of tensors
draws.Draws         a sampler's random numbers as inputs
onnx_file.convert   a part as ONNX, compared with torch
"""
