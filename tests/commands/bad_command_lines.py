"""Command lines that no verb can follow: RUN stands for a run's folder."""

from __future__ import annotations

TRAIN = """
--model vae
--model=vae
--data digits model=vae
--epochs 5
--dry-run --model vae
-m model=ae sweep.metrc=validation/loss
-m model=ae sweep.metric=
model=ae sweep.metric=validation/loss
-m model=ae sweep.metric=validation/lossy
-m model=ae sweep.metric=train/loss
model=ae hydra/launcher=joblib
-m model=ae hydra/launcher=joblib,basic
-m model=ae hydra/launcher=zzz
-m model=ae seed=0,1 hydra.sweep.dir=a,b
--from
--from nowhere model=ae
--multirunn
--verbose
-x
--cfg
--cfg jobb
--cfg=yaml
--info zzz
--config-name other
--config-path conf
--experimental-rerun job.pickle
--resolve
--package model
--cfg job --package zzz
-cd
-cd nowhere
--help model=zzz
data=csv data.file=лица.csv
vae
model
model vae
=3
+
~
~model
+model=vae
model=
model=zzz
model=vae model=ae
data=digits data=moons
model=vae,ae
model.latent_dim=2,4
model.latent_dim=range(1,5)
seed=1,2
-m model=glob(zz*)
-m model.latent_dim=glob(x)
-m model.latent_dim=interval(1,2)
-m seed=range(1,1e9)
-m model=ae,pca trainer.epochs=1
-m model=zzz
recorder=foo
recorder=none
recorder.uri=x
recorder=mlflow recorder.uri=mlruns
recorder=mlflow recorder.uri=file:///tmp/mlruns
recorder=mlflow recorder.uri=https://
recorder=mlflow recorder.uri=sqlite://
recorder=mlflow recorder.uri=https://me:secret@mlflow.example.org
recorder=mlflow recorder.uri=http://[
recorder=mlflow recorder.experiment=
recorder=mlflow recorder.mode=offline
recorder=wandb recorder.mode=sometimes
recorder=wandb recorder.project=
epochs=2
lr=0.1
batch_size=64
latent_dim=2
epoch=2
model.epochs=2
trainer.lr=1
nosuchkey=3
seed.x=3
optimizer.lr.x=1
model={}
optimizer={lr:1}
trainer=3
trainer.epochs.a.b=1
outputs=
seed=-1
seed=1.5
seed=99999999999999999999
seed={}
device={}
device=gpu
device=cuda:x
tags=3
tags={a:1}
note=[a,b]
note={a:1}
model.latent_dim=99999999999999999999
trainer.batch_size=1000000000000000000000
trainer.batch_size=-1
trainer.batch_size=many
trainer.epochs=1000000000000000000000000
trainer.epochs=0
trainer.log_every=99999999999999999999999x
trainer.log_every='0 steps'
trainer.epochs=2 trainer.steps=3
optimizer.lr=1e400
optimizer.lr=nan
optimizer.betas=3
optimizer.lr=choice()
model.latent_dim=[
model.latent_dim={a
data.root="a
data.folder=лица
model.latent_dim=${nope}
seed=${nope}
seed=${oc.env:NO_SUCH_VARIABLE}
data.root=${oc.env:NO_SUCH_VARIABLE}
tags=['${x}']
seed=${seed}
model.latent_dim=${nope:3}
hydra.run.dir=${nope}
hydra.run.dir=${oc.env:NO_SUCH_VARIABLE}
hydra.run.dirr=x
hydra.mode=3
hydra.job.chdir=maybe
hydra/launcher=zzz
optimizer._target_=torch.optim.lr_scheduler.StepLR
optimizer._target_=torch.optim.Optimizer
optimizer._target_=nnlab.data.noise.gaussian.Gaussian
optimizer.schedule._target_=nnlab.data.noise.none.NoNoise
optimizer.schedule=none
model._target_=nnlab.data.noise.none.NoNoise
model._target_=nnlab.model.Model
model._target_=nnlab.families.ae.base.Autoencoder
model._target_=nnlab
model._target_=os.system
model._target_=3
model.latent_dim={_target_:nnlab.model.Model}
data._target_=nnlab.model.Model
data._target_=nnlab.data.dataset.Dataset
trainer._target_=nnlab.model.Model
trainer.early_stopping._target_=nnlab.model.Model
trainer.early_stopping=3
judge=nowhere
judge={}
model=unet
model=transfer
model=transfer model.encoder=nowhere
data=csv data.file=no.csv
data=npz data.file=no.npz
data=image_folder data.folder=nowhere
data.limit=0
data.validation=100000
data.classes=[zebra]
experiment=zzz
noise=fog
noise.std=0.3
noise=gaussian noise.std=-1
augmentation=zzz
optimizer=zzz
optimizer/schedule=zzz
""".strip().splitlines()
VERBS = """
sample
sample RUN -n x
sample RUN -n 0
sample RUN -n
sample RUN -n 99999999999999999999
sample RUN --seed x
sample RUN --seed -1
sample RUN a b
sample RUN -o x.bmp
sample RUN -o /dev/null/x.png
sample RUN --foo
sample RUN --labell 3
reconstruct
reconstruct RUN -n 1e3
reconstruct RUN --noise fog
reconstruct RUN noise
reconstruct RUN --split tests
reconstruct RUN -o x.bmp
reconstruct RUN --noise
traverse
traverse RUN --reach far
traverse RUN --reach nan
traverse RUN --coordinates 1,x
traverse RUN --index x
traverse RUN --steps 0
traverse RUN -q
walk
walk RUN --stops x
walk RUN --stops 3 --through 3,4
walk RUN --steps 999999999
walk RUN --walks 0
walk RUN --seed 1e9
interpolate
interpolate RUN
interpolate RUN --from 1
interpolate RUN --from x --to 2
interpolate RUN --from 1 --to 2 --steps 1
interpolate RUN --too 3
embed
embed RUN --tsne -1
embed RUN --tsne x
embed RUN -o codes.txt
embed RUN --split zzz
embed RUN --input
compress
compress RUN
compress RUN -o codes.txt
compress RUN -o /dev/null/x.npz
compress RUN a b -o x.npz
decompress
decompress RUN
decompress RUN codes.npz
decompress RUN -o x.npz
translate
translate RUN
translate RUN -o out
translate RUN images
translate RUN images -o
translate RUN images -o out.png
translate RUN images -o /dev/null/out
translate RUN images -o out --seed -1
translate RUN images -o out --to
translate RUN images -o out --too b
translate RUN images -o out
retrieve
retrieve RUN
retrieve RUN --index x
retrieve RUN --index 1 -n 0
retrieve RUN --index 1 -n 101
retrieve RUN --index 1 --among all
retrieve RUN --index 1 --distance near
retrieve RUN --index 99999
outliers
outliers RUN -n zero
outliers RUN -n 0
outliers RUN --split all
outliers RUN --score
probe
probe RUN RUN
probe RUN --labels ten
probe RUN --labels 0
probe RUN --labels
probe RUN --seeds 0
probe RUN --seeds 999999999999
attribute
attribute RUN
attribute RUN --plus 1
attribute RUN --plus 1 --minus 2 --strength x
attribute RUN --plus 1 --minus 2 -n -1
augment
augment RUN
augment RUN -n 3
augment RUN -n 0 -o x.npz
augment RUN -n 3 -o x.txt
augment RUN -n 3 -o x.npz --split zzz
augment RUN -n 3 -o x.npz
perturb
perturb RUN
perturb RUN --index x
perturb RUN --index 1 --scale a
perturb RUN --index 1 -n 0
perturb RUN --index 1 --scale -1,2
evaluate
evaluate RUN --split zzz
evaluate RUN --samples 1
evaluate RUN --samples x
evaluate RUN --judge
evaluate RUN --zzz
search
search model=vae
search model=vae optimizer.lr=log(0,1)
search model=vae optimizer.lr=log(1e-4,1e-2
search model=vae optimizer.lr=log(1e-2,1e-4)
search model=vae optimizer.lr=log(x,y)
search model=vae optimizer.lr=log()
search model=vae optimizer.lr=log(1,2,3)
search model=vae optimizer.lrr=log(1e-4,1e-2)
search model=vae model.latent_dim=int(3,1)
search model=vae model.latent_dim=interval(3,3)
search model=vae model.latent_dim=interval(0,3)
search model=vae model.latent_dim=interval(0.5,3)
search model=vae model.latent_dim=interval(1,1e400)
search model=vae model.latent_dim=glob(x)
search model=vae model.activation=choice()
search model=vae model.activation=choice(relu)
search model=vae model.activation=relu,zzz
search model=zzz,vae
search model=vae,ae
search data=digits,moons
search vae
search hydra.run.dir=x seed=1,2
search hydra/launcher=joblib seed=1,2
search search.seed=1,2
search outputs=a,b
search seed=1,2 --trials 0
search seed=1,2 --trials x
search seed=1,2 --metric
search seed=1,2 --metric zzz
search seed=1,2 --metric test/loss
search seed=1,2 --metric validation/
search seed=1,2 --sampler zzz
search seed=1,2 --pruner zzz
search seed=1,2 --metric loss --metric kl:lower --pruner median
search seed=1,2 --metric loss --metric loss
search seed=1,2 -o RUN
search seed=1,2 -o /dev/null
search seed=1,2 -o /dev/null/x
search seed=1,2 -cd nowhere
search seed=1,2 -m
search seed=1,2 --multirun
search seed=1,2 --pruners median
search seed=1,2 data.validation=0
search seed=1,2 trainer.evaluate_every=never
search -o nowhere
resume
resume RUN --model vae
resume RUN --epochs 3
resume RUN --checkpoint
resume RUN --take-overr
batch-size --x
batch-size model
batch-size model=zzz
batch-size batch_size=3
batch-size model.latent_dim=2,4
show
show a b
show RUN --confg
show nowhere
show RUN zzz
compare
compare RUN
compare RUN RUN
compare zzz RUN
compare RUN last~9
compare RUN --foo
compare RUN -o
export
export RUN a
export RUN -o
export RUN -o x.onnx
export RUN -o x.safetensors
export RUN -o /dev/null/x
export RUN --part
export RUN --part zzz
export RUN --part generator
export RUN --part encoder --part clasifier
export RUN --parts encoder
export RUN --checkpoint nope
export RUN --checkpoint ../last
export nowhere
export last~9
curves
curves zzz
curves RUN --foo
curves RUN RUN
curves RUN -o x.bmp
curves RUN -o /dev/null/x.png
curves last~9
report
report zzz
report RUN --foo
report RUN RUN
report RUN -o x.pdf
report RUN -o x
report RUN -o .
report RUN -o /dev/null/x.html
report RUN -o /dev/null
report RUN --lang de
report RUN --lang
report RUN --title
report last~9
report /
show last~99
show 00000
resume last~x
rm
explain zzz
explain psrn kll
explain test/
explain --foo
rm zzz
rm RUN
rm RUN --foo
rm last~9
runs --zzz
runs --root
runs --status
list zzz
list modles
list models zzz
list -cd nowhere
list --all
list models -cd
tensorboard --port 99999999
tensorboard --port x
tensorboard --port 0
tensorboard --host
tensorboard a b
tensorboard nowhere
tensorboard --prot 3
sample RUN --device tpu
sample RUN --device cuda:99
sample RUN --checkpoint nope
sample RUN --checkpoint ../last
sample RUN --label 77
sample RUN -n 100000000000
sample RUN -o x.csv
traverse RUN --coordinates 99
traverse RUN --index 99999
perturb RUN --index 99999
interpolate RUN --from 0 --to 99999
reconstruct RUN noise.std=3
reconstruct RUN --noise gaussian noise.sdt=3
reconstruct RUN --noise gaussian noise.std=[
reconstruct RUN --input nowhere
reconstruct RUN --noise gaussian noise.std=99999999999999999999999999999x
evaluate RUN --judge nowhere
embed RUN --input nowhere
compress RUN nowhere -o x.npz
decompress RUN nowhere.npz -o x.npz
probe RUN --labels 9999999
resume RUN optimizer.lr=1
resume RUN zzz=3
resume RUN trainer.epochs=[
resume RUN trainer.epochs=99999999999999999999
resume RUN trainer.epochs=x
resume RUN seed=1
resume RUN trainer.epochs=${nope}
resume RUN trainer.epochs
resume RUN =3
resume RUN trainer.epochs=1 trainer.steps=2
resume RUN device=tpu
resume RUN tags=3
resume RUN recorder=foo
resume RUN recorder.uri=x
resume RUN recorder=mlflow recorder.uri=mlruns
zzz
trian model=vae
--zzz
-x
model=vae
""".strip().splitlines()
LINES = [*(f"train {line}" for line in TRAIN), *VERBS]
