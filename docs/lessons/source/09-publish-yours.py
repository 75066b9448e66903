# %% [markdown] lang="en"
# # 9. Publish yours
#
# *From a folder of pictures to a model that anybody can load: a recipe, a training that can be interrupted, a card, the Hub, a
# page.*
#
# You have seen how a GAN is trained, how it fails and what it is worth. Now make one of your own pictures, in the way one would
# really do it: on the command line. Everything here takes a minute; a real training is the same lines and half an hour.

# %% [markdown] lang="pt"
# # 9. Publique a sua
#
# *De uma pasta de imagens a um modelo que qualquer um carrega: uma receita, um treino que se pode interromper, uma ficha, o Hub, uma
# página.*
#
# Você viu como se treina uma GAN, como ela falha e quanto vale. Agora faça uma das suas próprias imagens, do jeito que se faz de
# verdade: na linha de comando. Aqui tudo leva um minuto; um treino de verdade são as mesmas linhas e meia hora.

# %%
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

from gan_hub.data.avatars.drawing import draw

work = Path(tempfile.mkdtemp())


def run(command, lines=100):
    """A command of the shell, as you would type it in the folder `work`; the last lines of what it says."""
    print("$", command)
    words = [sys.executable, "-m", "gan_hub.cli", *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=work, capture_output=True, text=True)
    text = done.stdout if done.returncode == 0 else done.stderr
    print("\n".join(text.strip().splitlines()[-lines:]))


def show(path):
    plt.figure(figsize=(7, 3.5), dpi=72)
    plt.imshow(Image.open(path), interpolation="nearest")
    plt.axis("off")
    plt.show()


folder = work / "my-pictures"  # put your own here: photographs of one kind of thing, some hundred of them
folder.mkdir()
for number in range(300):
    draw(7, number)[0].save(folder / f"{number:03}.png")
print(len(list(folder.iterdir())), "pictures")

# %% [markdown] lang="en"
# ## Ask before you train
#
# A recipe is a file with the settings of a run. `own-images` is meant for folders like this one, on a CPU. With `--dry-run` nothing is
# trained, but everything is checked: the pictures, the settings, and how long it would take on *this* machine.

# %% [markdown] lang="pt"
# ## Pergunte antes de treinar
#
# Uma receita é um arquivo com os ajustes de um treino. `own-images` foi feita para pastas como esta, numa CPU. Com `--dry-run` nada é
# treinado, mas tudo é conferido: as imagens, os ajustes, e quanto tempo levaria *nesta* máquina.

# %%
run("gan-hub train own-images --name mine --data my-pictures --dry-run", lines=4)

# %% [markdown] lang="en"
# Read the last lines. A part of the pictures is *held out*: the model never sees them, and so lesson 7's question about copies
# can be answered later. If you forget a setting or give one that does not exist, you get one sentence, before an hour is lost:

# %% [markdown] lang="pt"
# Leia as últimas linhas. Uma parte das imagens fica *reservada*: o modelo nunca as vê, e assim a pergunta da aula 7 sobre cópias poderá
# ser respondida depois. Se você esquece um ajuste, ou dá um que não existe, recebe uma frase, antes de perder uma hora:

# %%
run("gan-hub train own-images --name mine --data my-pictures --learning_rate_genrator 0.001")
run("gan-hub train own-images --name mine --data my-pictrues")

# %% [markdown] lang="en"
# ## Train, stop, go on
#
# A toy of it: half as many pixels, a thousand images instead of eighty thousand. Then we go on to two thousand with `--resume`. To
# the last bit that is the same as not having stopped: networks, optimizers, averages and the state of the dice are in the checkpoint.

# %% [markdown] lang="pt"
# ## Treine, pare, continue
#
# Uma miniatura: metade dos pixels, mil imagens em vez de oitenta mil. Depois seguimos até duas mil com `--resume`. Até o
# último bit, é o mesmo que não ter parado: redes, otimizadores, médias e até o estado dos sorteios estão no *checkpoint*.

# %%
toy = "--resolution 32 --batch_size 8 --sample_kimg 0.5 --checkpoint_kimg 1 --decay_kimg 0 --ema_halflife_kimg 0.1"
toy += " --learning_rate_generator 0.001 --learning_rate_discriminator 0.001"
run(f"gan-hub train own-images --name mine --data my-pictures {toy} --total_kimg 1", lines=3)
run(f"gan-hub train own-images --name mine --data my-pictures {toy} --total_kimg 2 --resume", lines=3)
grids = sorted((work / "runs" / "mine" / "samples").glob("*.png"))
print([path.name for path in grids])
show(grids[-1])

# %% [markdown] lang="en"
# After two thousand images it has understood that something dark stands before a coloured ground, no more. Give it eighty
# thousand.
#
# On several GPUs, or several machines, the same recipe is started by Accelerate, and the batch is shared among them:
#
# ```bash
# accelerate launch train.py recipes/own-images-gpu.yaml --name mine --data my-pictures
# ```
#
# ## What you publish is a folder

# %% [markdown] lang="pt"
# Depois de duas mil imagens ele entendeu que há algo escuro diante de um fundo colorido, não mais. Dê-lhe oitenta mil.
#
# Em várias GPUs, ou várias máquinas, a mesma receita é iniciada pelo Accelerate, e o lote é repartido entre elas:
#
# ```bash
# accelerate launch train.py recipes/own-images-gpu.yaml --name mine --data my-pictures
# ```
#
# ## O que se publica é uma pasta

# %%
model = work / "runs" / "mine" / "export"
for path in sorted(model.rglob("*")):
    if path.is_file():
        print(f"{path.stat().st_size:9,}  {path.relative_to(model)}")
run("gan-hub verify runs/mine/export")

# %% [markdown] lang="en"
# Weights as safetensors, never as a pickle: a pickle runs whatever its author wrote into it, the moment you open it. The manifest has a
# checksum of every file, and `reference.safetensors` a few seeds with their pixels: whoever downloads your model can check that it
# draws on their machine what it drew on yours. And the card says in plain words what this is:

# %% [markdown] lang="pt"
# Pesos em safetensors, nunca em pickle: um pickle executa o que o autor dele escreveu, no instante em que você o abre. O manifesto tem
# a soma de verificação de cada arquivo, e `reference.safetensors` algumas sementes com os seus pixels: quem baixa o seu modelo confere
# se ele desenha lá o que desenhou aí. E a ficha diz em palavras simples o que é isto:

# %%
card = (model / "README.md").read_text(encoding="utf-8")
print(card[:900])
print("…")
print([line for line in card.splitlines() if line.startswith("## ")])

# %% [markdown] lang="en"
# Whose pictures are these? Under which licence? Who is in them, and did they agree? The card has a place for it (`data_license`, `not_for`
# in the recipe), and no program can fill it in for you. A model of faces of real people is a different thing from a model of garments.
#
# Then, with an account on the Hub and after `hf auth login`:
#
# ```bash
# gan-hub push runs/mine/export YOUR-NAME/mine
# gan-hub demo runs/mine/export          # and the page of all lessons, with your model in it
# ```
#
# From then on the two lines of lesson 6 work for everybody: `GANPipeline.from_pretrained("YOUR-NAME/mine")`. More on all of it is in
# [Training](../../training.md), [Data](../../data.md) and [Hosting the page](../../hosting.md).
#
# **On the page.** `gan-hub demo runs/mine/export` opens it with your model chosen:
# [draw some in the tab *Sample*](http://127.0.0.1:7860/?tab=sample&seeds=0-15), and [watch it being born in *Watch it train*](http://127.0.0.1:7860/?tab=watch).
#
# ## Exercises
#
# 1. Train `own-images` with a few hundred photographs of your own, of one kind of thing, overnight. Which kind works best, and why?
# 2. Score it: `run("gan-hub evaluate runs/mine/export --data my-pictures --num 1000")`. Which of the numbers would you put on the card,
#    and with what beside it?
# 3. Write down for whom your model must not be used. Then read the card of `r3gan-cats-64`.
#
# **A question.** Somebody takes your published folder, changes a single byte in the middle of the weights, and passes it on. What happens
# to the person who loads it: an error, a slightly different picture, or nothing at all? The next cell does it.

# %% [markdown] lang="pt"
# De quem são essas imagens? Sob que licença? Quem está nelas, e concordou? A ficha tem um lugar para isso (`data_license` e `not_for` na
# receita), e nenhum programa o preenche por você. Um modelo de rostos de pessoas reais é outra coisa que um modelo de roupas.
#
# Depois, com uma conta no Hub e após `hf auth login`:
#
# ```bash
# gan-hub push runs/mine/export YOUR-NAME/mine
# gan-hub demo runs/mine/export          # and the page of all lessons, with your model in it
# ```
#
# Daí em diante as duas linhas da aula 6 valem para todos: `GANPipeline.from_pretrained("YOUR-NAME/mine")`. Mais sobre tudo isso em
# [Treino](../../training.md), [Dados](../../data.md) e [Hospedar a página](../../hosting.md).
#
# **Na página.** `gan-hub demo runs/mine/export` a abre já com o seu modelo:
# [sorteie alguns na aba *Sortear*](http://127.0.0.1:7860/?tab=sample&seeds=0-15), e [veja-o nascer em *Veja treinar*](http://127.0.0.1:7860/?tab=watch).
#
# ## Exercícios
#
# 1. Treine `own-images` com algumas centenas de fotografias suas, de um só tipo de coisa, durante a noite. Que tipo funciona melhor, e
#    por quê?
# 2. Meça: `run("gan-hub evaluate runs/mine/export --data my-pictures --num 1000")`. Quais dos números você poria na ficha, e com o
#    que ao lado?
# 3. Escreva para quem o seu modelo não deve ser usado. Depois leia a ficha de `r3gan-cats-64`.
#
# **Uma pergunta.** Alguém pega a sua pasta publicada, muda um único byte no meio dos pesos, e a passa adiante. O que acontece com quem a
# carrega: um erro, uma imagem um pouquinho diferente, ou nada? A próxima célula faz isso.

# %%
import shutil

shutil.copytree(model, work / "passed-on", dirs_exist_ok=True)
weights = work / "passed-on" / "generator" / "diffusion_pytorch_model.safetensors"
content = bytearray(weights.read_bytes())
content[len(content) // 2] ^= 1
weights.write_bytes(content)
run("gan-hub sample passed-on --seeds 0-3 --out four.png")

# %% [markdown] lang="en"
# One sentence, and no picture. A byte of a weight is nothing you would ever see; that is why a checksum looks and not an eye.
#
# This was the last lesson. The best next one is a model of yours.

# %% [markdown] lang="pt"
# Uma frase, e nenhuma imagem. Um byte de um peso é coisa que você nunca veria; é por isso que quem olha é uma soma de verificação, e
# não um olho.
#
# Esta foi a última aula. A melhor próxima é um modelo seu.
