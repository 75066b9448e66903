import torch

from gan_hub.toy import (
    DATASETS,
    LATENT,
    LOSSES,
    Game,
    PointSet,
    Settings,
    best_verdicts,
    make_players,
    sample_digits,
    sample_faces,
    square_grid,
    verdicts,
)

ring: PointSet = DATASETS["ring"]  # eight narrow modes in the plane; also "grid", "spiral", "moons"
settings = Settings(loss="non_saturating", r1_gamma=0.05)
assert settings.loss in LOSSES
game = Game(*make_players(seed=0), ring.sample, LATENT, settings, seed=0)
for _ in range(20):  # some thousand make a game
    numbers = game.step()  # losses, mean logits, norms of gradients
print(ring.judge(game.sample(2000)))  # modes hit, share of points that could be real

# What the discriminator says of each place of the plane, and what the best one would say: 0 is fake, 1 real.
places, reals, fakes = square_grid(32), ring.sample(500, torch.Generator().manual_seed(0)), game.sample(500)
with torch.no_grad():
    logits = [game.discriminator(points) for points in (places, reals, fakes)]
said, best = verdicts(settings.loss, *logits), best_verdicts(settings.loss, ring, fakes, places)
print((said - best).abs().mean())

images = sample_faces(16, 8, torch.Generator().manual_seed(0))  # (8, 3, 16, 16): small pictures to play with
images = sample_digits(16, 8, torch.Generator().manual_seed(0))  # (8, 1, 16, 16)
