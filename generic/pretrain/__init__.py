"""Training of generic models: photos with scores in, a model file out; knows nothing of users or datasets.

======================  ==========================================================================
``config.py``           settings of one run, checked together
``presets.py``          networks and settings by name: the released ones and ours
``trained_network.py``  the network that is trained, and what a model file says of it
``refusals.py``         what a person is told when it cannot be built
``feasible.py``         whether a training can be done, before its folder is begun
``processes.py``        the processes of a launcher, and what one does for all
``start.py``            weights to begin with: our files, timm's hub, packaged ImageNet weights
``photos.py``           photos with their targets; where their files are
``batches.py``          which photo is in which batch, on which process; decoding in workers
``schedule.py``         learning rate, freezing and layer-wise rates
``objective.py``        losses and scores of a network's outputs
``measure.py``          SRCC, PLCC, accuracy and their ratio, MSE, EMD
``loop.py``             the loop
``predict.py``          outputs for photos as they are
``job.py``              a training from beginning to end
``state.py``            what a stopped run goes on from
``training_folder.py``  the run's folder: settings, history, TensorBoard
``export.py``           the model file with its history
``distill.py``          a small network taught by any generic model
======================  ==========================================================================
"""
