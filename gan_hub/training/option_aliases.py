"""Names that other trainers use for options of a run, and the answer to an unknown flag or key of a recipe."""

import difflib
from collections.abc import Iterable

from gan_hub.messages import short_repr

LR = "learning_rate_generator and learning_rate_discriminator"
LENGTH = "total_kimg, in thousands of images: {}, divided by 1,000"
PROCESSES = "accelerate launch --num_processes N train.py …; batch_size is that of all processes together"
GENERATOR, DISCRIMINATOR = (
    "an argument of the networks: generator: {{{}: …}}",
    "an argument of the networks: discriminator: {{{}: …}}",
)

# The name elsewhere, with underscores → the option here, or a sentence that names it.
ELSEWHERE = {
    **dict.fromkeys(("lr", "learning_rate"), LR),
    **dict.fromkeys(("lr_g", "g_lr", "glr", "lrg", "generator_lr"), "learning_rate_generator"),
    **dict.fromkeys(("lr_d", "d_lr", "dlr", "lrd", "discriminator_lr"), "learning_rate_discriminator"),
    **dict.fromkeys(("lr_decay", "lr_scheduler", "lr_schedule", "n_epochs_decay"), "decay_kimg"),
    **dict.fromkeys(
        ("epochs", "epoch", "num_epochs", "n_epochs", "num_train_epochs"),
        LENGTH.format("epochs times the images of the data"),
    ),
    **dict.fromkeys(
        ("steps", "max_steps", "max_train_steps", "num_steps", "iterations", "iters", "niter", "n_iter"),
        LENGTH.format("steps times batch_size"),
    ),
    **dict.fromkeys(("kimg", "max_kimg"), "total_kimg"),
    **dict.fromkeys(
        ("batch", "batchsize", "bs", "train_batch_size", "per_device_train_batch_size", "batch_gpu"),
        "batch_size, of all processes together",
    ),
    **dict.fromkeys(("mirror", "hflip", "horizontal_flip", "random_flip", "xflip"), "flip"),
    **dict.fromkeys(("fp16", "half"), "precision: fp16, or bf16, which needs no loss scaler"),
    **dict.fromkeys(("bf16", "bfloat16"), "precision: bf16"),
    **dict.fromkeys(("fp32", "float32"), "precision: fp32"),
    **dict.fromkeys(("amp", "mixed_precision", "dtype"), "precision"),
    **dict.fromkeys(
        ("gpus", "num_gpus", "ngpu", "n_gpus", "num_processes", "nproc", "world_size", "local_rank"), PROCESSES
    ),
    **dict.fromkeys(("gpu", "gpu_id", "gpu_ids", "cuda"), "device: cuda; CUDA_VISIBLE_DEVICES says which GPU"),
    **dict.fromkeys(("cpu", "no_cuda", "use_cpu"), "device: cpu"),
    **dict.fromkeys(
        ("outdir", "out", "output_dir", "out_dir", "save_dir", "logdir", "log_dir", "checkpoints_dir"), "output"
    ),
    **dict.fromkeys(("run_name", "exp_name", "experiment", "desc", "project"), "name"),
    **dict.fromkeys(("dataset", "dataset_name", "data_dir", "data_path", "dataroot", "train_data_dir", "root"), "data"),
    **dict.fromkeys(("gamma", "r1", "r1_weight", "lambda_r1"), "r1_gamma"),
    **dict.fromkeys(("gp", "gp_weight", "lambda_gp", "gradient_penalty"), "wgan_gp_weight"),
    **dict.fromkeys(("pl_weight", "path_regularize"), "path_length_weight"),
    **dict.fromkeys(("d_reg_every", "r1_every"), "penalty_interval"),
    **dict.fromkeys(("style_mixing", "style_mixing_prob"), "mixing"),
    **dict.fromkeys(("gan_mode", "adv_loss", "loss_type", "objective"), "loss"),
    **dict.fromkeys(("n_critic", "ncritic", "d_steps", "critic_iters", "num_d_steps"), "discriminator_steps"),
    **dict.fromkeys(("res", "size", "image_size", "img_size", "imsize", "crop_size"), "resolution"),
    **dict.fromkeys(("img_channels", "image_channels", "in_channels", "nc"), "channels"),
    **dict.fromkeys(("cfg", "arch", "model", "network", "model_name"), "architecture"),
    **dict.fromkeys(("cond", "class_cond", "labels", "use_labels"), "conditional"),
    **dict.fromkeys(
        ("z_dim", "nz", "latent_dim", "latent", "latent_size", "noise_dim"), GENERATOR.format("latent_size")
    ),
    **dict.fromkeys(("w_dim", "w_size"), GENERATOR.format("w_size")),
    **dict.fromkeys(("ngf", "cbase", "base_channels"), GENERATOR.format("base_channels")),
    "ndf": DISCRIMINATOR.format("base_channels"),
    **dict.fromkeys(("cmax", "max_channels"), GENERATOR.format("max_channels")),
    "spectral_norm": DISCRIMINATOR.format("spectral_norm"),
    **dict.fromkeys(("optimizer", "optim"), "optimizer_generator and optimizer_discriminator"),
    **dict.fromkeys(("b1", "adam_beta1"), "beta1"),
    **dict.fromkeys(("b2", "adam_beta2"), "beta2"),
    **dict.fromkeys(("ema", "ema_decay", "ema_kimg", "ema_beta", "use_ema"), "ema_halflife_kimg"),
    **dict.fromkeys(("aug", "augmentation", "diffaug", "ada"), "augment: ada, or diffaugment"),
    **dict.fromkeys(("target", "aug_target"), "ada_target"),
    **dict.fromkeys(
        ("snap", "snapshot", "save_every", "save_freq", "checkpoint_every", "checkpointing_steps"), "checkpoint_kimg"
    ),
    **dict.fromkeys(("sample_every", "sample_interval", "validation_steps", "img_freq"), "sample_kimg"),
    **dict.fromkeys(("log_every", "log_interval", "logging_steps", "print_freq"), "log_kimg"),
    **dict.fromkeys(("metrics", "fid", "metric", "inception"), "extractor: what scores are measured in"),
    **dict.fromkeys(("eval_every", "eval_steps", "fid_every"), "evaluate_kimg"),
    **dict.fromkeys(("report_to", "log_with", "tracker", "wandb", "tensorboard", "use_wandb"), "trackers"),
    **dict.fromkeys(("pretrained", "resume_pkl", "init_from", "finetune", "checkpoint", "ckpt", "weights"), "initial"),
    **dict.fromkeys(("resume_from_checkpoint", "continue_train", "continue"), "--resume"),
    **dict.fromkeys(("hub_model_id", "hub_repo_id", "push", "repo_id"), "--push-to-hub OWNER/NAME"),
    **dict.fromkeys(("random_seed", "manual_seed"), "seed"),
    **dict.fromkeys(
        ("workers", "num_workers", "nw"), "nothing: images lie in memory as arrays, and no process reads them"
    ),
    **dict.fromkeys(
        ("gradient_accumulation_steps", "grad_accum", "accumulate"),
        "refused, as not exact with two players; lower batch_size",
    ),
    **dict.fromkeys(("torch_compile", "compile_model"), "compile"),
    **dict.fromkeys(("allow_tf32", "use_tf32"), "tf32"),
}


def suggestion(name: object, known: Iterable[str], prog: str = "gan-hub train") -> str:
    """Half a sentence on an option that does not exist: what it is called here, or the nearest of the `known` names.

    Args:
        name: what was typed, with or without dashes before it.
        known: the names that do exist, of the same kind: keys, or flags with their dashes.
        prog: the program; its --help lists them.

    Returns:
        as "here it is total_kimg", or "did you mean --total_kimg?".
    """
    typed = name if isinstance(name, str) and len(name) < 100 else ""
    plain = typed.lstrip("-").lower().replace("-", "_")
    for elsewhere, meaning in ELSEWHERE.items():
        if plain.replace("_", "") == elsewhere.replace("_", ""):  # nEpochs, too
            return f"here it is {meaning}"
    spellings = {each.lstrip("-").replace("-", "_"): each for each in reversed(list(known))}
    nearest = difflib.get_close_matches(plain, spellings, n=1)
    return f"did you mean {spellings[nearest[0]]}?" if nearest else f"{prog} --help lists all options"


def unknown_option(kind: str, name: object, known: Iterable[str], prog: str = "gan-hub train") -> str:
    """The sentence on an option that does not exist.

    Args:
        kind: "flag", or "key".
        name, known, prog: as of `suggestion`.

    Returns:
        the sentence; a statement has no full stop.
    """
    return f"unknown {kind} {short_repr(name)}; {suggestion(name, known, prog)}"
