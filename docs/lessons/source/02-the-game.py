# %% [markdown] lang="en"
# # 2. The game
#
# *Minimax; Algorithm 1 with k steps; two gradients of the same wish; zero sum; a first GAN on pictures, watched.*
#
# In lesson 1 a network learned to tell two piles of examples apart, and another one learned to bend noise, judged by a fixed
# yardstick. Goodfellow and his colleagues let the first be the yardstick of the second (2014). A forger prints money, an expert
# tells it from the real thing, and each gets better because the other one does.

# %% [markdown] lang="pt"
# # 2. O jogo
#
# *Minimax; o Algoritmo 1 com k passos; dois gradientes do mesmo desejo; soma zero; uma primeira GAN de imagens, assistida.*
#
# Na aula 1 uma rede aprendeu a separar dois montes de exemplos, e outra aprendeu a entortar ruído, medida por uma régua fixa.
# Goodfellow e seus colegas fizeram da primeira a régua da segunda (2014). Um falsário imprime dinheiro, um perito o distingue do
# verdadeiro, e cada um melhora porque o outro melhora.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

from gan_hub import losses

torch.manual_seed(0)
plt.rcParams["figure.figsize"] = (7, 2.6)

# %% [markdown] lang="en"
# ## Two wishes, one formula
#
# The **discriminator** $D(x)$ says how sure it is that $x$ is real. The **generator** $G(z)$ makes an $x$ of noise $z$. One number
# says who is winning, and one of them wants it large, the other one small:
#
# $$\min_G \max_D \; V(D, G) = \mathbb{E}_{x \sim p_t} \log D(x) + \mathbb{E}_{z \sim p_z} \log(1 - D(G(z)))$$
#
# Before any training, look at the two kinds of data again: the animals of lesson 1, here with two humps.

# %% [markdown] lang="pt"
# ## Dois desejos, uma fórmula
#
# O **discriminador** $D(x)$ diz quanta certeza tem de que $x$ é real. O **gerador** $G(z)$ faz um $x$ a partir do ruído $z$. Um
# número diz quem está ganhando, e um deles o quer grande, o outro pequeno:
#
# $$\min_G \max_D \; V(D, G) = \mathbb{E}_{x \sim p_t} \log D(x) + \mathbb{E}_{z \sim p_z} \log(1 - D(G(z)))$$
#
# Antes de treinar, veja de novo os dados: os animais da aula 1, aqui com duas corcovas.


# %%
def draw_real(n):
    return torch.randn(n, 1) * 0.5 + torch.randint(2, (n, 1)) * 4.0 - 2.0


def network(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, outputs)
    )


G, D = network(2, 1), network(1, 1)  # D gives a logit; sigmoid makes it a probability
with torch.no_grad():
    plt.hist(draw_real(4000).flatten(), 60, alpha=0.4, density=True, label="$x$")
    plt.hist(G(torch.randn(4000, 2)).flatten(), 60, alpha=0.4, density=True, label="$G(z)$")
plt.legend()
plt.show()

# %% [markdown] lang="en"
# ## Algorithm 1
#
# The paper's algorithm is short enough to read aloud. Repeat: $k$ times, show $D$ a batch of reals and a batch of fakes and let
# it take a step; then let $G$ take one step against this $D$.

# %% [markdown] lang="pt"
# ## Algoritmo 1
#
# O algoritmo do artigo é curto o bastante para ser lido em voz alta. Repita: $k$ vezes, mostre a $D$ um lote de reais e um lote
# de falsas e deixe-o dar um passo; depois deixe $G$ dar um passo contra esse $D$.


# %%
def play(G, D, rounds, k=1, generator_loss=losses.non_saturating_generator, rate=1e-3):
    """Algorithm 1. Returns the losses of D and G at each round."""
    adam_g = torch.optim.Adam(G.parameters(), lr=rate, betas=(0.5, 0.99))
    adam_d = torch.optim.Adam(D.parameters(), lr=rate, betas=(0.5, 0.99))
    history = []
    for _ in range(rounds):
        for _ in range(k):
            fakes = G(torch.randn(128, 2)).detach()  # this step is about D alone
            loss_d = losses.non_saturating_discriminator(D(draw_real(128)), D(fakes))
            adam_d.zero_grad()
            loss_d.backward()
            adam_d.step()
        loss_g = generator_loss(D(G(torch.randn(128, 2))))
        adam_g.zero_grad()
        loss_g.backward()
        adam_g.step()
        history.append((loss_d.item(), loss_g.item()))
    return torch.tensor(history)


history = play(G, D, rounds=1500)

grid = torch.linspace(-5, 5, 200)[:, None]
with torch.no_grad():
    figure, (left, right) = plt.subplots(1, 2)
    left.plot(history, lw=0.5)
    left.axhline(2 * torch.tensor(2.0).log(), color="grey", lw=0.5)
    left.legend(["$L_D$", "$L_G$", "$2\\,\\log 2$"])
    right.hist(draw_real(4000).flatten(), 60, alpha=0.4, density=True, label="$x$")
    right.hist(G(torch.randn(4000, 2)).flatten(), 60, alpha=0.4, density=True, label="$G(z)$")
    right.plot(grid, torch.sigmoid(D(grid)), "k--", label="$D$")
    right.legend()
figure.tight_layout()
plt.show()

# %% [markdown] lang="en"
# The generator found both humps. The dashed line hovers around ½ where the data are: the expert is reduced to guessing, and its
# loss lies near $2 \log 2$, the price of guessing.
#
# **The curves on the left do not fall.** In ordinary learning a falling loss means progress. Here each player's loss is
# measured against the other one, and both get better. Whoever judges a GAN by its losses is watching a tug of war by looking
# at the rope.
#
# ## Two gradients for one wish
#
# "$G$ wants $V$ small" means: lower $\log(1 - D(G(z)))$. The paper advises to raise $\log D(G(z))$ instead. Both want the same
# thing. Compare what they feel, for a fake to which $D$ gives the logit $l$:

# %% [markdown] lang="pt"
# O gerador achou as duas corcovas. A linha tracejada paira em torno de ½ onde estão os dados: o perito ficou reduzido a
# adivinhar, e a perda dele fica perto de $2 \log 2$, o preço de adivinhar.
#
# **As curvas da esquerda não caem.** No aprendizado comum, perda que cai é progresso. Aqui a perda de cada jogador é medida
# contra o outro, e os dois melhoram. Quem julga uma GAN pelas perdas assiste a um cabo de guerra olhando só para a corda.
#
# ## Dois gradientes para um desejo
#
# "$G$ quer $V$ pequeno" significa: baixar $\log(1 - D(G(z)))$. O artigo aconselha, em vez disso, a aumentar $\log D(G(z))$. Os
# dois querem a mesma coisa. Compare o que sentem, para uma falsa a que $D$ dá o logit $l$:

# %%
logits = torch.linspace(-8, 8, 200, requires_grad=True)
for name in ("minimax", "non_saturating"):
    loss = getattr(losses, f"{name}_generator")(logits) * len(logits)
    (slope,) = torch.autograd.grad(loss, logits)
    plt.plot(logits.detach(), -slope, label=name)
plt.xlabel("$l$        $D(G(z)) = \\sigma(l)$")
plt.ylabel("$-\\partial L_G / \\partial l$")
plt.legend()
plt.show()

# %% [markdown] lang="en"
# On the left $D$ is sure that the picture is false. That is the beginning of every game, when $G$ has most to learn. There the
# minimax slope is nearly zero and the other one is at its largest. Same goal, same optimum, and one of the two starves the
# beginner. It is called **non-saturating** for that reason.
#
# Let us see a beginner starve. An expert has had 500 rounds to learn, and a forger who stands at 7, far from the data, takes
# plain gradient steps against it, with either loss.

# %% [markdown] lang="pt"
# À esquerda $D$ tem certeza de que a imagem é falsa. É o começo de todo jogo, quando $G$ mais tem a aprender. Ali a inclinação
# do minimax é quase zero e a outra está no máximo. O mesmo objetivo, o mesmo ótimo, e um dos dois deixa o iniciante morrer de
# fome. Por isso a outra se chama **não saturante**.
#
# Vamos ver um iniciante passar fome. Um perito teve 500 rodadas para aprender, e um falsário que está em 7, longe dos dados, dá
# passos simples de gradiente contra ele, com cada uma das perdas.

# %%
import copy

torch.manual_seed(1)
G, D = network(2, 1), network(1, 1)
nn.init.constant_(G[-1].bias, 7.0)
adam = torch.optim.Adam(D.parameters(), lr=1e-3)
for _ in range(500):
    loss = losses.non_saturating_discriminator(D(draw_real(128)), D(G(torch.randn(128, 2)).detach()))
    adam.zero_grad()
    loss.backward()
    adam.step()

for name in ("minimax", "non_saturating"):
    forger, places = copy.deepcopy(G), []
    descent = torch.optim.SGD(forger.parameters(), lr=0.02)
    for _ in range(200):
        fakes = forger(torch.randn(128, 2))
        loss = getattr(losses, f"{name}_generator")(D(fakes))
        descent.zero_grad()
        loss.backward()
        descent.step()
        places.append(fakes.mean().item())
    plt.plot(places, label=name)
plt.axhspan(-3, 3, color="grey", alpha=0.15)
plt.xlabel("t")
plt.ylabel("$\\mathbb{E}\\,G(z)$")
plt.legend()
plt.show()

# %% [markdown] lang="en"
# The grey band is where the data are. One forger walks there, the other one stays where it began. (An optimizer such as Adam divides
# gradients by their size and hides much of this; it cannot bring back what is lost in rounding and in the noise of a batch.)
#
# ## Zero sum?
#
# With the minimax loss, what one player wins the other one loses. With the non-saturating one it is no longer so: it is a game of
# two losses. The sums tell.

# %% [markdown] lang="pt"
# A faixa cinza é onde estão os dados. Um falsário caminha até lá, o outro fica onde começou. (Um otimizador como o Adam divide os
# gradientes pelo tamanho deles e esconde boa parte disso; não traz de volta o que se perde no arredondamento e no ruído do lote.)
#
# ## Soma zero?
#
# Com a perda minimax, o que um ganha o outro perde. Com a não saturante já não é assim: é um jogo de duas perdas. As somas
# contam.

# %%
real_part = torch.nn.functional.softplus(-D(draw_real(4000))).mean()  # −E log D(x), which G cannot change
fake_logits = D(G(torch.randn(4000, 2)))
loss_d = real_part + torch.nn.functional.softplus(fake_logits).mean()
print(f"minimax         {loss_d + losses.minimax_generator(fake_logits) - real_part:+.4f}")
print(f"non_saturating  {loss_d + losses.non_saturating_generator(fake_logits) - real_part:+.4f}")

# %% [markdown] lang="en"
# ## Pictures
#
# The same game with pictures in the place of numbers: both players become convolutional networks (DCGAN, of lesson 5), and an hour of
# one core takes the place of seconds. The bundled models bring their own film along. This one saw garments: each row is a later look at
# the same pieces of noise.

# %% [markdown] lang="pt"
# ## Imagens
#
# O mesmo jogo, com imagens no lugar de números: os dois jogadores viram redes convolucionais (DCGAN, da aula 5), e no lugar de segundos
# vai uma hora de um núcleo. Os modelos do pacote trazem o próprio filme. Este viu roupas: cada linha é uma olhada mais tarde nos mesmos
# ruídos.

# %%
from pathlib import Path

from PIL import Image, ImageSequence

from gan_hub import GANPipeline

pipe = GANPipeline.from_pretrained("dcgan-fashion-mnist")
film = Image.open(Path(pipe.name_or_path) / "timelapse.webp")
frames = [frame.convert("L") for frame in ImageSequence.Iterator(film)]
looks = [frames[place] for place in (0, 1, 2, 4, 8, -1)]
height = film.height // 4  # the first of its four rows
sheet = Image.new("L", (film.width, height * len(looks)))
for row, look in enumerate(looks):
    sheet.paste(look.crop((0, 0, film.width, height)), (0, height * row))
sheet

# %% [markdown] lang="en"
# First grey, then blots, then something that your eye insists on reading. Nobody ever told this generator what a shoe is. It was only
# told, a million times, how sure somebody was that its picture was false.
#
# `gan-hub train dcgan-mnist` plays the game on digits: 25 minutes of a core, grids and curves in its folder while it runs, and at the
# end a model like this one. Its two steps stand in `gan_hub/training/steps.py`; you will recognise `play`.
#
# **On the page.** Say `gan-hub demo` in a terminal. In the tab *Real or fake?* you
# [take the expert's seat](http://127.0.0.1:7860/?tab=game&model=dcgan-fashion-mnist), *Watch it train* has
# [the whole film with its curves](http://127.0.0.1:7860/?tab=watch&model=dcgan-fashion-mnist), and in *Two dimensions*
# [the game of this lesson](http://127.0.0.1:7860/?tab=plane&data=moons&loss=non_saturating&lg=0.002&ld=0.002&r1=0) is played before your eyes.
#
# ## Exercises
#
# 1. Play the first game with `k=5` and with `rate=1e-2`. Which of the two hurts, and what do the curves say about it?
# 2. Give $G$ one number of noise instead of two. Can it still make two humps? Where does the gap go?
# 3. In `play`, leave out `.detach()`. Both networks still train. What is wasted, and what would go wrong without the two calls of
#    `zero_grad()`?
#
# **A question.** *Your discriminator's loss is 0.02 and stays there. Is that good news?* Write down your answer, then run the next
# cell.

# %% [markdown] lang="pt"
# Primeiro cinza, depois manchas, depois algo que o olho insiste em ler. Ninguém contou a este gerador o que é um sapato. Só lhe
# disseram, um milhão de vezes, quanta certeza alguém tinha de que a imagem dele era falsa.
#
# `gan-hub train dcgan-mnist` joga o jogo com dígitos: 25 minutos de um núcleo, amostras e curvas na pasta enquanto roda e, no fim, um
# modelo como este. Os dois passos estão em `gan_hub/training/steps.py`; você vai reconhecer `play`.
#
# **Na página.** Digite `gan-hub demo` num terminal. Na aba *Real ou falsa?* você
# [senta na cadeira do perito](http://127.0.0.1:7860/?tab=game&model=dcgan-fashion-mnist), *Veja treinar* tem
# [o filme inteiro com as curvas](http://127.0.0.1:7860/?tab=watch&model=dcgan-fashion-mnist), e em *Duas dimensões*
# [o jogo desta aula](http://127.0.0.1:7860/?tab=plane&data=moons&loss=non_saturating&lg=0.002&ld=0.002&r1=0) é jogado diante dos seus olhos.
#
# ## Exercícios
#
# 1. Jogue o primeiro jogo com `k=5` e com `rate=1e-2`. Qual dos dois faz mal, e o que as curvas dizem disso?
# 2. Dê a $G$ um número de ruído em vez de dois. Ele ainda consegue fazer duas corcovas? Para onde vai o vão?
# 3. Em `play`, tire o `.detach()`. As duas redes continuam treinando. O que se desperdiça, e o que daria errado sem as duas chamadas
#    de `zero_grad()`?
#
# **Uma pergunta.** *A perda do seu discriminador é 0,02 e não sai daí. É boa notícia?* Anote sua resposta e rode a próxima
# célula.

# %%
print(
    f"L_D = 0.02  →  D(x) ≈ {torch.exp(torch.tensor(-0.01)):.3f},  D(G(z)) ≈ {1 - torch.exp(torch.tensor(-0.01)):.3f}"
)
confident = torch.logit(torch.tensor([0.01])).requires_grad_()
for name in ("minimax", "non_saturating"):
    (slope,) = torch.autograd.grad(getattr(losses, f"{name}_generator")(confident), confident)
    print(f"{name:15} {-slope.item():.3f}")

# %% [markdown] lang="en"
# For the expert, yes; for you, hardly. It is right about 99 of 100 pictures, so the fakes are easy to spot, and with the minimax loss
# the forger gets a hundredth of the slope that it would get otherwise. In a game near its equilibrium $L_D$ stays near
# $2 \log 2 ≈ 1.39$. Lesson 4 is about what to do.

# %% [markdown] lang="pt"
# Para o perito, sim; para você, dificilmente. Ele acerta 99 de 100 imagens, ou seja, as falsas são fáceis de notar, e com a perda
# minimax o falsário recebe um centésimo da inclinação que receberia com a outra. Num jogo perto do equilíbrio, $L_D$ fica perto de
# $2 \log 2 ≈ 1{,}39$. A aula 4 trata do que fazer.
