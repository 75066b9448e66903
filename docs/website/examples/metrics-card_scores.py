from pathlib import Path

from gan_hub import GANPipeline
from gan_hub.metrics import Report
from gan_hub.metrics.card_scores import evaluate_command, write_card_scores

pipe = GANPipeline.from_pretrained("dcgan-mnist")
pipe.save_pretrained("my-gan")
print(evaluate_command("my-gan", "mnist", {"metrics": "fd"}))
if Path("my-gan/README.md").exists():  # a run's export has a card
    write_card_scores(Path("my-gan"), Report.read("scores.json"))
