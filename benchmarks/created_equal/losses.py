"""The losses of the study, one line each: options of a recipe over those of PROTOCOL, which all of them share.

A new loss is a new line in LOSSES. Beside the options of a recipe there is one more, `decay_share`: the last so large a
share of the run, whatever its length, in which the rates fall to 0. Settings are the authors' where the protocol leaves them
open, within what Lucic et al. searched after pruning (rates from 1e-4 to 1e-3, β₁ 0.5, one update of D for each of G);
nothing was searched here. Gradient penalties go with a discriminator without batch normalisation, as in that search.
"""

# Section 5.1 of the paper and its authors' program: the same fakes serve both players' steps there, too, nothing is
# averaged, rates stay. The rate, which they searched, is DCGAN's.
PROTOCOL: dict = {
    "architecture": "infogan",
    "resolution": 28,
    "channels": 1,
    "conditional": False,
    "generator": {"latent_size": 64},
    "batch_size": 64,
    "share_fakes": True,
    "learning_rate_generator": 2e-4,
    "learning_rate_discriminator": 2e-4,
    "beta1": 0.5,
    "beta2": 0.999,
    "r1_gamma": 0.0,
    "penalty_interval": 1,
    "ema_halflife_kimg": 0.0,
    "precision": "bf16",  # penalties are float32; on one core of a recent CPU 1.6 times as fast
}
NO_NORM = {"discriminator": {"norm": "none"}}

LOSSES: dict[str, dict] = {
    "MM GAN": {"loss": "minimax"},
    "NS GAN": {"loss": "non_saturating"},
    "LSGAN": {"loss": "least_squares"},
    "WGAN": {"loss": "wasserstein", "weight_clip": 0.01},
    "WGAN-GP": {"loss": "wasserstein", "wgan_gp_weight": 10.0} | NO_NORM,
    "DRAGAN": {"loss": "non_saturating", "dragan_weight": 10.0} | NO_NORM,
    "BEGAN": {"loss": "began", "architecture": "infogan_autoencoder", "began_gamma": 0.75, "began_rate": 0.001},
    "RpGAN + R1 + R2": {"loss": "relativistic", "r1_gamma": 1.0, "r2_gamma": 1.0} | NO_NORM,
}
BASELINE = "NS GAN"  # what every loss is compared with

# Recipes of ours for the same images, found in a few short trials on Fashion-MNIST (README.md has them): smaller batches,
# so more steps; larger rates that fall at the end; R1 in place of batch normalisation; an average of the generator.
RECIPE: dict = {
    "loss": "non_saturating",
    "batch_size": 16,
    "learning_rate_generator": 5e-4,
    "learning_rate_discriminator": 5e-4,
    "beta2": 0.99,
    "r1_gamma": 0.5,
    "penalty_interval": 16,
    "ema_halflife_kimg": 10.0,
    "decay_share": 0.4,
}
DCGAN: dict = {
    "architecture": "dcgan",
    "generator": {"latent_size": 64, "base_channels": 64},
    "discriminator": {"base_channels": 64, "norm": "none", "minibatch_stddev": True},
    "learning_rate_generator": 1e-3,
    "learning_rate_discriminator": 1e-3,
    "r1_gamma": 0.1,
    "batch_size": 8,
}
OURS: dict[str, dict] = {
    "ours (same networks)": RECIPE | NO_NORM,
    "ours (small DCGAN)": RECIPE | DCGAN,
}
# What of that is due to batches, rates and averaging alone: the baseline with them.
CONTROLS: dict[str, dict] = {
    "NS GAN at our pace": RECIPE | {"r1_gamma": 0.0},
}
