"""The results of a run during training: metrics.jsonl, TensorBoard, images, the console.

recorder.Recorder   writes metrics, pictures and texts in another thread
tracker.Tracker     what also takes them, such as MLflow: mlflow.MLflow, wandb.WandB
layout.arranged     which curves stand together in TensorBoard
console.Console     lines and a progress bar on the terminal, and train.log
epochs.EpochTable   one row per epoch
projector.write     the files of TensorBoard's projector
"""
