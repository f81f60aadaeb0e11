"""How a model is trained: what a step is, when to record and save, how it resumes to the bit.

loop.Loop                    time: stages, epochs, steps and events
trainer.Trainer              base of the trainers
gradient.GradientTrainer     learning by the gradient of a batch
passes.PassTrainer           learning by passes over the whole set
graph.CudaGraphRunner                the step as a CUDA graph
memory.Memory                tensors that training changes beside the model
player.OptimizerGroup                parameters with an optimizer of their own
options.Options              the `trainer` node of a config
"""
