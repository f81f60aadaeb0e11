"""How a model is trained: what a step is, when to record and save, how it resumes to the bit.

loop.Loop                    time: stages, epochs, steps and events
trainer.Trainer              base of the trainers
gradient.GradientTrainer     gradient descent
passes.PassTrainer           training by passes over the training set
graph.CudaGraphRunner                the step as a CUDA graph
memory.Memory                tensors that training changes besides the model
player.OptimizerGroup                parameters with their own optimizer
options.Options              the `trainer` node of a config
"""
