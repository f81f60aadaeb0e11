"""Where the results of a run go while it trains: metrics.jsonl, TensorBoard, images, the console.

recorder.Recorder   writes metrics, pictures and texts in a thread of its own
console.Console     lines and a progress bar on the terminal, and train.log
epochs.EpochTable   a row per epoch
projector.write     the files of TensorBoard's projector
"""
