# %% [markdown] lang="en"
# # 4. Training is hard
#
# *Divergence, collapse, imbalance, made to happen and cured; two rates, noise, R1; the monitors; the 17 tips, ten years later.*
#
# Lesson 3 found where the game ends: at one half, with nothing left to tell apart. It did not say that anybody ever gets there. In
# this lesson we break the game on purpose, in three ways, look closely at each, and put it right again.

# %% [markdown] lang="pt"
# # 4. Treinar é difícil
#
# *Divergência, colapso, desequilíbrio, provocados e curados; duas taxas, ruído, R1; os monitores; as 17 dicas, dez anos depois.*
#
# A aula 3 descobriu onde o jogo termina: em um meio, quando não há mais nada a distinguir. Ela não disse que alguém chega lá. Nesta
# aula vamos quebrar o jogo de propósito, de três maneiras, olhar cada uma de perto e consertar.

# %%
import textwrap
from dataclasses import replace

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import LinearSegmentedColormap
from torch.nn.functional import softplus

plt.rcParams["figure.figsize"] = (7, 2.6)

# %% [markdown] lang="en"
# ## The smallest game there is
#
# Let the data be one number, always 0. Let the generator be one number, too: everything that it makes is $\theta$. And let the
# discriminator be a slope, $D(x) = \sigma(\psi x)$. You see the end of this game at once: $\theta = 0$ is perfect, and then no slope
# helps, $\psi = 0$. Both begin at 1 and follow their gradients, in small steps. Where do they go?

# %% [markdown] lang="pt"
# ## O menor jogo que existe
#
# Sejam os dados um número só, sempre 0. Seja o gerador também um número: tudo o que ele faz é $\theta$. E seja o discriminador uma
# inclinação, $D(x) = \sigma(\psi x)$. O fim deste jogo se vê na hora: $\theta = 0$ é perfeito, e aí inclinação nenhuma ajuda,
# $\psi = 0$. Os dois começam em 1 e seguem seus gradientes, em passos pequenos. Aonde vão parar?

# %%
spread = torch.linspace(-3, 3, 31)  # noise as places and weights, so that its mean is no matter of chance
weight = torch.softmax(-(spread**2) / 2, 0)


def smallest_game(rate_d=0.2, noise=0.0, r1_gamma=0.0, at_once=False):
    """The places (θ, ψ) of 400 steps."""
    theta, psi, path = torch.tensor(1.0), torch.tensor(1.0), []

    def value(psi):  # V of lesson 2: G wants it small, D large
        reals, fakes = noise * spread, theta + noise * spread
        return -(weight * (softplus(-psi * reals) + softplus(psi * fakes))).sum()

    for _ in range(400):
        path.append((theta.item(), psi.item()))
        theta, psi = theta.detach().requires_grad_(), psi.detach().requires_grad_()
        (slope,) = torch.autograd.grad(value(psi) - r1_gamma / 2 * psi**2, psi)
        new_psi = (psi + rate_d * slope).detach()
        (slope,) = torch.autograd.grad(value(psi if at_once else new_psi), theta)
        theta, psi = theta - 0.2 * slope, new_psi
    return torch.tensor(path)


def draw_paths(**games):
    figure, axes = plt.subplots(1, len(games), figsize=(2.5 * len(games), 2.7), sharey=True)
    for axis, (name, path) in zip(axes, games.items()):
        axis.plot(*path.T, lw=0.8)
        axis.plot(*path[0], "k.", *path[-1], "ro", 0, 0, "k+")  # from the dot to the red one; + is the end of the game
        axis.set(xlim=(-3, 3), ylim=(-3, 3), xlabel="$\\theta$", title=name, aspect="equal")
    axes[0].set_ylabel("$\\psi$")
    figure.tight_layout()
    plt.show()


draw_paths(at_once=smallest_game(at_once=True), in_turns=smallest_game())

# %% [markdown] lang="en"
# They never meet the cross. On the left both step at the same moment, and each circle is wider than the last: the game
# **diverges**. On the right they take turns, as in Algorithm 1, and run round and round, forever.
#
# $G$ runs to where $D$ points. When it arrives, $D$ has turned round. The gradients say it exactly (Mescheder et al. 2018, lemma 2.3):
#
# $$\dot\theta = \sigma(\psi\theta)\,\psi \qquad \dot\psi = -\sigma(\psi\theta)\,\theta \qquad \frac{d}{dt}\left(\theta^2 + \psi^2\right) = 0$$
#
# Two good wishes together make a motion that leads nowhere: the distance to the end of the game does not change. Nobody plays badly
# here. A GAN is the search for a *balance*, and gradient descent was made for valleys.
#
# Three things that people do about it: give $D$ a larger rate; blur everything that $D$ sees, real or fake, with noise; or let $D$
# pay for being steep where the data are. The last one is **R1** (equation 9 there; $l$ is the logit of $D$, here $\psi x$):
#
# $$L_D + \frac{\gamma}{2}\,\mathbb{E}_{x \sim p_t}\left\|\nabla_x\, l(x)\right\|^2$$

# %% [markdown] lang="pt"
# Nunca chegam à cruz. À esquerda os dois dão o passo no mesmo instante, e cada volta é mais larga que a anterior: o jogo
# **diverge**. À direita um espera o outro, como no Algoritmo 1, e ficam dando voltas, para sempre.
#
# $G$ corre para onde $D$ aponta. Quando chega, $D$ já virou. Os gradientes dizem isso com exatidão (Mescheder et al. 2018, lema 2.3):
#
# $$\dot\theta = \sigma(\psi\theta)\,\psi \qquad \dot\psi = -\sigma(\psi\theta)\,\theta \qquad \frac{d}{dt}\left(\theta^2 + \psi^2\right) = 0$$
#
# Dois bons desejos, juntos, dão um movimento que não leva a lugar nenhum: a distância até o fim do jogo não muda. Aqui ninguém joga
# mal. Uma GAN é a busca de um *equilíbrio*, e a descida do gradiente foi feita para vales.
#
# Três coisas que se fazem a respeito: dar a $D$ uma taxa maior; borrar com ruído tudo o que $D$ vê, real ou falso; ou cobrar de $D$
# por ser íngreme onde estão os dados. Esta última é a **R1** (equação 9 do mesmo artigo; $l$ é o logit de $D$, aqui $\psi x$):
#
# $$L_D + \frac{\gamma}{2}\,\mathbb{E}_{x \sim p_t}\left\|\nabla_x\, l(x)\right\|^2$$

# %%
draw_paths(rate_d=smallest_game(rate_d=0.8), noise=smallest_game(noise=0.7), r1_gamma=smallest_game(r1_gamma=0.3))

# %% [markdown] lang="en"
# Another rate is another ellipse, and no nearer. Noise and R1 do help, and for one reason: both give $D$ a wish to become *flat*. With
# noise, two clouds that overlap cannot be told apart by a steep slope; with R1 steepness has a price. A little friction, and what
# circled comes to rest.
#
# ## Eight towns
#
# Now two real networks. The data are eight narrow piles on a circle, eight *modes*; think of towns. In the pictures, grey is the data and
# black is what $G$ makes of 400 pieces of noise; $D$ takes for real what lies on blue ground, and for fake what lies on orange. First a
# game that goes well. (The numbers are measured beside it, and `examine` is explained below.)

# %% [markdown] lang="pt"
# Outra taxa é outra elipse, e não fica mais perto. O ruído e a R1 ajudam, e por uma só razão: os dois dão a $D$ vontade de ficar
# *plano*. Com ruído, duas nuvens que se misturam não se separam com uma inclinação íngreme; com a R1, ser íngreme tem preço. Um pouco de
# atrito, e o que girava se aquieta.
#
# ## Oito cidades
#
# Agora duas redes de verdade. Os dados são oito montinhos numa roda, oito *modos*; pense em cidades. Nas figuras, cinza são os dados e
# preto é o que $G$ faz com 400 ruídos; $D$ toma por real o que está em chão azul, e por falso o que está em chão laranja. Primeiro um jogo
# que dá certo. (Os números são medidos ao lado, e `examine` será explicada mais abaixo.)

# %%
from gan_hub.toy.datasets import DATASETS
from gan_hub.toy.fields import square_grid, verdicts
from gan_hub.toy.game import Game, Settings
from gan_hub.toy.players import LATENT, make_players
from gan_hub.training.monitors import Monitors

ring = DATASETS["ring"]
reals = ring.sample(1000, torch.Generator().manual_seed(1))
z = torch.randn(1000, LATENT, generator=torch.Generator().manual_seed(2))
orange_to_blue = LinearSegmentedColormap.from_list("verdict", ["#f0a35e", "#ffffff", "#7db4ea"])


def begin(data=ring, **settings):
    return Game(*make_players(seed=0), data.sample, LATENT, Settings(**settings), seed=0)


@torch.no_grad()
def draw(axis, game, title="", generator=None):
    fakes = (generator or game.generator)(z)
    outputs = [game.discriminator(points) for points in (square_grid(100), reals, fakes)]
    ground = verdicts(game.settings.loss, *outputs).reshape(100, 100)
    axis.imshow(ground, cmap=orange_to_blue, vmin=0, vmax=1, extent=(-1.5, 1.5, -1.5, 1.5), interpolation="bilinear")
    axis.plot(*reals[:200].T, "o", color="grey", ms=2.5)
    axis.plot(*fakes[:400].T, "k.", ms=1.5)
    axis.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)


@torch.no_grad()
def diversity(game):
    """How far two fakes lie apart on average, divided by the same of two reals."""
    fakes = game.ema.model(z)
    fake_distance, real_distance = ((x[:500] - x[500:]).norm(dim=1).mean() for x in (fakes, reals))
    return (fake_distance / real_distance).item()


def examine(game, monitors, curves):
    """Fifty steps: their mean numbers join the curves, and the monitors may have something to say of them."""
    steps = [game.step() for _ in range(50)]
    means = {name: torch.stack([step[name] for step in steps]).mean().item() for name in steps[0]}
    means["diversity"] = diversity(game)
    for name, value in means.items():
        curves.setdefault(name, []).append(value)
    return [f"{game.step_count}: {alarm}" for alarm in monitors.observe(game.step_count, means)]


def watch(game, steps=1000, pictures=5):
    """Play on, draw what there is to see five times, print what the monitors say, and return the curves."""
    figure, axes = plt.subplots(1, pictures, figsize=(10, 2.3))
    monitors, curves, alarms = Monitors(), {}, []
    for axis in axes:
        for _ in range(steps // pictures // 50):
            alarms += examine(game, monitors, curves)
        draw(axis, game, f"{game.step_count}")
    figure.tight_layout()
    plt.show()
    for alarm in alarms:
        print(textwrap.fill(alarm, 110))
    return curves


calm = dict(learning_rate_generator=0.002, learning_rate_discriminator=0.002, r1_gamma=0.05)
healthy = begin(**calm)
healthy_curves = watch(healthy)

# %% [markdown] lang="en"
# A ring first, then towns. And see how the ground fades: in the end $D$ has hardly an opinion left. That is ½, the end that lesson 3
# promised, drawn in the plane.
#
# ## Collapse
#
# Now let $G$ learn ten times as fast as $D$. Nothing else changes (and R1 is off).

# %% [markdown] lang="pt"
# Primeiro uma roda, depois cidades. E veja como o chão desbota: no fim $D$ quase não tem mais opinião. É o ½, o fim que a aula 3
# prometeu, desenhado no plano.
#
# ## Colapso
#
# Agora deixe $G$ aprender dez vezes mais rápido que $D$. Nada mais muda (e a R1 fica desligada).

# %%
collapsed = begin(learning_rate_generator=0.002, learning_rate_discriminator=0.0002)
collapsed_curves = watch(collapsed)

# %% [markdown] lang="en"
# All the noise goes to one place, and the place wanders from town to town. Think as the generator does: against a discriminator that
# stands still, what is the best answer?
#
# $$G^*(z) = \arg\max_x D(x) \qquad \forall z$$
#
# One single point, the one that looks most real just now. Only a discriminator that moves *quickly enough* makes it costly for all to
# stand in one place. This is **mode collapse**: many $z$, one picture.
#
# Would you have noticed by the losses?

# %% [markdown] lang="pt"
# Todo o ruído vai para um lugar só, e esse lugar passeia de cidade em cidade. Pense como o gerador: contra um discriminador parado, qual
# é a melhor resposta?
#
# $$G^*(z) = \arg\max_x D(x) \qquad \forall z$$
#
# Um ponto só, o que agora parece mais real. Apenas um discriminador que se mexe *rápido o bastante* faz sair caro que todos fiquem no
# mesmo lugar. Isto é o **colapso de modos** (*mode collapse*): muitos $z$, uma imagem.
#
# Você teria notado pelas perdas?

# %%
names = {"loss/discriminator": "$L_D$", "loss/generator": "$L_G$", "diversity": "diversity"}
figure, axes = plt.subplots(1, 3, figsize=(10, 2.6))
for axis, name, level in zip(axes, names, (2 * torch.tensor(2.0).log(), torch.tensor(2.0).log(), 1)):
    axis.axhline(level, color="grey", lw=0.5)
    for curves, label in ((healthy_curves, "healthy"), (collapsed_curves, "collapsed")):
        axis.plot(range(50, 1001, 50), curves[name], label=label)
    axis.set(xlabel="t", title=names[name])
axes[2].legend()
figure.tight_layout()
plt.show()

# %% [markdown] lang="en"
# Look at $L_D$ of the collapsed game. It lies on the grey line, $2 \log 2$, the very number that lesson 3 told you to hope for!
# The losses of the two games end in the same place. Only the last picture tells them apart: the distance of two fakes, compared with
# that of two reals. It needs no label, no other network and no luck, and it costs next to nothing.
#
# ## The monitors
#
# Therefore nobody should have to stare at losses. `Monitors` is given a few numbers every 50 steps: the losses, the mean verdicts, how
# often $D$ gives a real more than a fake, the norms of the gradients, and the diversity. When a failure that it knows shows up, and stays,
# it says one sentence: what, how it knows, and what to try. You have seen it speak, below the collapse; it was silent below the good
# game. Every run of `gan-hub train` has it on board ([the table of alarms](../../monitors.md)).
#
# ## Imbalance
#
# The second illness. Equal rates, larger ones, and the minimax loss of lesson 2.

# %% [markdown] lang="pt"
# Olhe a $L_D$ do jogo que colapsou. Ela anda sobre a linha cinza, $2 \log 2$, justamente o número que a aula 3 mandou esperar! As
# perdas dos dois jogos terminam no mesmo lugar. Só a última figura os distingue: a distância entre duas falsas, comparada com a de duas
# reais. Ela não precisa de rótulo, nem de outra rede, nem de sorte, e não custa quase nada.
#
# ## Os monitores
#
# Por isso ninguém deveria ficar vigiando perdas. `Monitors` recebe uns poucos números a cada 50 passos: as perdas, as notas médias, com
# que frequência $D$ dá a uma real mais que a uma falsa, as normas dos gradientes e a diversidade. Quando uma falha que ele conhece
# aparece, e fica, ele diz uma frase: o que é, como sabe, e o que tentar. Você já o viu falar, embaixo do colapso; embaixo do jogo que deu
# certo ficou calado. Todo `gan-hub train` o leva a bordo ([a tabela dos alarmes](../../monitors.md)).
#
# ## Desequilíbrio
#
# A segunda doença. Taxas iguais, maiores, e a perda minimax da aula 2.

# %%
unbalanced_settings = dict(loss="minimax", learning_rate_generator=0.005, learning_rate_discriminator=0.005)
unbalanced = begin(**unbalanced_settings)
curves = watch(unbalanced)

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.4))
left.plot(range(50, 1001, 50), curves["accuracy/pairs"])
left.set(xlabel="t", title="$P\\,(D(x) > D(G(z)))$")
right.semilogy(range(50, 1001, 50), curves["gradient/generator"])
right.set(xlabel="t", title="$\\|\\nabla L_G\\|$")
figure.tight_layout()
plt.show()

# %% [markdown] lang="en"
# Around step 500 the black points are gone: all of them lie outside of the picture. $D$ is right about every pair, the border between
# blue and orange is a cliff, and on the orange plain beyond there is no slope at all. The generator's gradient falls by more than twelve
# powers of ten **and never returns**. This is the beginner of lesson 2 who starves, and the flat right end of the curve in lesson 3.
#
# It is a game, so the opposite happens, too: a $D$ that hardly learns is fooled by anything, and what it teaches is nonsense.
#
# ## Divergence
#
# The third one. A critic of the Wasserstein kind gives scores instead of probabilities, as high as it likes, and its loss is simply the
# difference of the two means. Nothing holds the numbers back.

# %% [markdown] lang="pt"
# Por volta do passo 500 os pontos pretos sumiram: estão todos fora da figura. $D$ acerta todos os pares, a fronteira entre o azul e o
# laranja é um precipício, e na planície laranja, do lado de lá, não há inclinação nenhuma. O gradiente do gerador cai mais de doze
# potências de dez **e não volta**. É o iniciante da aula 2 que morre de fome, e a ponta direita, plana, da curva da aula 3.
#
# Como é um jogo, o contrário também acontece: um $D$ que quase não aprende se deixa enganar por qualquer coisa, e o que ensina não faz
# sentido.
#
# ## Divergência
#
# A terceira. Um crítico do tipo Wasserstein dá notas em vez de probabilidades, tão altas quanto quiser, e a perda é simplesmente a
# diferença das duas médias. Nada segura os números.

# %%
equal = dict(learning_rate_generator=0.002, learning_rate_discriminator=0.002)
games = {"wasserstein": begin(loss="wasserstein", **equal),
         "+ wgan_gp_weight": begin(loss="wasserstein", wgan_gp_weight=0.1, **equal)}  # fmt: skip
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.4))
for name, game in games.items():
    monitors, curves, alarms = Monitors(), {}, []
    for _ in range(20):
        alarms += examine(game, monitors, curves)
    left.semilogy(range(50, 1001, 50), torch.tensor(curves["loss/discriminator"]).abs(), label=name)
    right.semilogy(range(50, 1001, 50), curves["gradient/generator"])
    print(f"{name}: {ring.judge(game.sample(2000))[0]} of 8")
    print(textwrap.fill("\n".join(alarms), 110))
right.axhline(65504, color="grey", lw=0.5)  # the largest number of fp16
left.set(xlabel="t", title="$|L_D|$")
right.set(xlabel="t", title="$\\|\\nabla L_G\\|$")
left.legend(fontsize=8)
figure.tight_layout()
plt.show()

# %% [markdown] lang="en"
# The blue curves climb without an end; the grey line is the largest number that half precision can hold. And yet this game hits all eight
# modes! Adam divides each gradient by its usual size, so the generator does not even notice that it is shouted at. It is a disaster that
# waits for its day: an overflow, a NaN, a night of computing gone. The orange game pays for slopes other than 1 between reals and
# fakes (WGAN-GP, Gulrajani et al. 2017), and its numbers stay where they were.
#
# ## Which medicine for which illness?
#
# One change at a time, upper row the game that collapses, lower row the one that starves. *skip* leaves out a step of $D$ whenever its
# last loss was below 1: a popular trick against a $D$ that is too good.

# %% [markdown] lang="pt"
# As curvas azuis sobem sem fim; a linha cinza é o maior número que cabe em meia precisão. E mesmo assim este jogo acerta os oito modos! O
# Adam divide cada gradiente pelo tamanho habitual dele, e o gerador nem percebe que estão gritando. É um desastre à espera do seu dia: um
# estouro, um NaN, uma noite de computação perdida. O jogo laranja paga por inclinações diferentes de 1 entre reais e falsas (WGAN-GP,
# Gulrajani et al. 2017), e os números dele ficam onde estavam.
#
# ## Que remédio para que doença?
#
# Uma mudança de cada vez; na fileira de cima o jogo que colapsa, na de baixo o que passa fome. *skip* deixa de fora um passo de $D$
# sempre que a última perda dele ficou abaixo de 1: um truque popular contra um $D$ bom demais.


# %%
def treat(ill, cure, steps=800):
    game = begin(**ill | {name: value for name, value in cure.items() if name != "skip"})
    chosen = game.settings
    for _ in range(steps):
        loss = game.step()["loss/discriminator"]
        certain = "skip" in cure and loss < cure["skip"]
        game.settings = replace(chosen, learning_rate_discriminator=0.0) if certain else chosen
    return game


collapsing = dict(learning_rate_generator=0.002, learning_rate_discriminator=0.0002)
cures = {
    "": {},
    "rate D": {},  # filled in below: a faster one for the upper row, a slower one for the lower
    "k = 5": {"discriminator_steps": 5},
    "skip": {"skip": 1.0},
    "instance_noise": {"instance_noise": 0.1},
    "r1_gamma": {"r1_gamma": 0.05},
    "relativistic": {"loss": "relativistic"},
}
figure, axes = plt.subplots(2, len(cures), figsize=(11, 3.9))
for row, ill, rate in zip(axes, (collapsing, unbalanced_settings), (0.002, 0.0005)):
    cures["rate D"] = {"learning_rate_discriminator": rate}
    for axis, (name, cure) in zip(row, cures.items()):
        game = treat(ill, cure)
        draw(axis, game, name, game.ema.model)
        axis.set_xlabel(f"{ring.judge(game.sample(2000))[0]} / 8")
figure.tight_layout()
plt.show()

# %% [markdown] lang="en"
# **Upper row.** Collapse by speed is cured by speed: a faster $D$, or more steps of it. Noise, R1 and another loss change nothing, and
# *skip* never even acts, since $L_D$ looks so fine. (The alarm named five things to try. The last of them, a lower rate of $G$, is the same
# cure from the other side.)
#
# **Lower row.** Here five steps for one make it worse. A slower $D$ and skipping help somewhat, if their numbers fit. What heals is a
# slope to walk on: noise, R1, or the relativistic loss, which asks only whether a real looks more real than a fake.
#
# There is no medicine against "GAN trouble". First find out which illness it is. The advice of every old forum, *train D more*, is right
# above and wrong below.
#
# ## A cure while it runs
#
# Nothing has to begin again. The collapsed game from above goes on, with equal rates and R1.

# %% [markdown] lang="pt"
# **Fileira de cima.** Colapso por velocidade se cura com velocidade: um $D$ mais rápido, ou mais passos dele. Ruído, R1 e outra perda não
# mudam nada, e o *skip* nem chega a agir, porque a $L_D$ parece ótima. (O alarme sugeria cinco coisas. A última, uma taxa menor para $G$, é
# a mesma cura vista do outro lado.)
#
# **Fileira de baixo.** Aqui cinco passos contra um pioram. Um $D$ mais lento e o *skip* ajudam um pouco, se os números forem os certos.
# O que cura é uma inclinação por onde andar: ruído, R1 ou a perda relativística, que só pergunta se uma real parece mais real que uma
# falsa.
#
# Não existe remédio contra "problema de GAN". Primeiro descubra qual é a doença. O conselho de todo fórum antigo, *treine mais o D*, está
# certo em cima e errado embaixo.
#
# ## Uma cura com o jogo andando
#
# Nada precisa recomeçar. O jogo que colapsou lá em cima continua, com taxas iguais e R1.

# %%
collapsed.settings = Settings(**calm)
curves = watch(collapsed)

figure, axes = plt.subplots(1, 2, figsize=(4.6, 2.5))
draw(axes[0], collapsed, "G")
draw(axes[1], collapsed, "EMA", collapsed.ema.model)
for axis, generator in zip(axes, (collapsed.generator, collapsed.ema.model)):
    with torch.no_grad():
        axis.set_xlabel(f"{ring.judge(generator(z))[1]:.0%}")
figure.tight_layout()
plt.show()

# %% [markdown] lang="en"
# Below, the generator as it stands and its **average**: of the weights of the last few steps, old ones counting less and less (EMA). What
# still swings around the goal is, on average, at the goal; you saw those circles in the smallest game. The numbers are the share of points
# that could be real. The average plays no part in the game, costs nothing, and is what every model of this package publishes.
#
# ## A real run
#
# The bundled models bring their flight recorder along. Let us put the monitors on a whole night of garments.

# %% [markdown] lang="pt"
# Embaixo, o gerador como está e a **média** dele: dos pesos dos últimos passos, os antigos valendo cada vez menos (EMA). O que ainda
# balança em torno do alvo está, em média, no alvo; você viu essas voltas no menor jogo. Os números são a parcela de pontos que poderiam
# ser reais. A média não participa do jogo, não custa nada, e é ela que todo modelo deste pacote publica.
#
# ## Um treino de verdade
#
# Os modelos do pacote trazem a caixa-preta do próprio voo. Vamos pôr os monitores a olhar um treino inteiro de roupas.

# %%
import json
from pathlib import Path

from gan_hub import GANPipeline

pipe = GANPipeline.from_pretrained("dcgan-fashion-mnist")
lines = [json.loads(line) for line in (Path(pipe.name_or_path) / "log.jsonl").read_text().splitlines()]
looks = [line for line in lines if "diversity" in line]
monitors = Monitors(batch_size=64)
alarms = [alarm for look in looks for alarm in monitors.observe(look["images"], look)]
print(f"{len(looks)} looks, {len(alarms)} alarms")

figure, axes = plt.subplots(1, 3, figsize=(10, 2.4))
for axis, name in zip(axes, ("loss/discriminator", "accuracy/pairs", "diversity")):
    axis.plot([look["images"] / 1000 for look in looks], [look[name] for look in looks])
    axis.set(xlabel="kimg", title=name)
axes[0].axhline(2 * torch.tensor(2.0).log(), color="grey", lw=0.5)
axes[1].axhline(0.5, color="grey", lw=0.5)
axes[2].axhline(1, color="grey", lw=0.5)
figure.tight_layout()
plt.show()

# %% [markdown] lang="en"
# No alarm, and yet little that a beginner would call progress. The loss of $D$ rises, and then stays where it is. $D$ is right about nine
# pairs of ten at first, about seven in the middle, and about nine again at the end. Meanwhile the diversity stays near 1, and the pictures of lesson 2
# got better all the time. What counts is not that the two are equal, but that neither runs away from the other.
#
# ## The 17 tips, ten years later
#
# In 2016 Soumith Chintala collected what people whispered to each other (*How to train a GAN? Tips and tricks to make GANs work*). What has
# become of it? The last column is an option of a run, to be tried one at a time.
#
# | | tip of 2016 | today | here |
# |---|---|---|---|
# | 1 | images in [−1, 1], tanh at the end | true; the tanh is a matter of taste today | always so |
# | 2 | raise $\log D(G(z))$ | true | `loss: non_saturating`, or `relativistic` |
# | 3 | a spherical $z$ | true | always so; `gan_hub.latents.slerp` |
# | 4 | reals and fakes in batches of their own | only with batch norm, which R1 does not like | `discriminator: {norm: none}` |
# | 5 | no ReLU, no max-pooling in $D$ | true for convolutions | always so there |
# | 6 | soft and noisy labels | little used; smooth the reals only | `label_smoothing`; noisy ones are refused |
# | 7 | DCGAN | a good first one; lesson 5 goes on | `architecture` |
# | 8 | replay old fakes | no: the average and R1 calm the same swinging | `ema_halflife_kimg`, `r1_gamma` |
# | 9 | SGD for $D$, Adam for $G$ | no: Adam for both, with little momentum | `optimizer_discriminator`, `beta1` |
# | 10 | notice failures early | truer than ever | `alarms: stop` |
# | 11 | do not balance by looking at losses | true: you saw why | `skip_discriminator_below` is off |
# | 12 | use labels if there are any | true, but by projection, not by a classifier | `conditional: true` |
# | 13 | noise on what $D$ sees | true; R1, or augmentation with few images, has mostly replaced it | `instance_noise`, `augment` |
# | 14 | train $D$ more | only where $D$ is the slow one, or a Wasserstein critic | `discriminator_steps`, two rates |
# | 15 | show $D$ whole batches | true, in a simple form | `discriminator: {minibatch_stddev: true}` |
# | 16 | embed classes, with few channels | true | `conditional: true` |
# | 17 | dropout in $G$, also at the end | no: the same $z$ should give the same picture | refused |
#
# The reasons, tip by tip, are in [Training](../../training.md#the-17-tips-of-ganhacks). Whoever changes one option of a good recipe reads
# less into chance than whoever changes five.

# %% [markdown] lang="pt"
# Nenhum alarme, e mesmo assim pouco que um iniciante chamaria de progresso. A perda de $D$ sobe, e depois fica onde está. $D$ acerta uns nove
# de dez pares no começo, uns sete no meio e uns nove de novo no fim. Enquanto isso a diversidade fica perto de 1, e as imagens da aula 2 melhoraram o
# tempo todo. O que conta não é que os dois sejam iguais, e sim que nenhum dispare na frente do outro.
#
# ## As 17 dicas, dez anos depois
#
# Em 2016 Soumith Chintala juntou o que as pessoas cochichavam umas às outras (*How to train a GAN? Tips and tricks to make GANs work*). No
# que deu? A última coluna é uma opção de um treino, para experimentar uma de cada vez.
#
# | | dica de 2016 | hoje | aqui |
# |---|---|---|---|
# | 1 | imagens em [−1, 1], tanh no fim | vale; a tanh hoje é questão de gosto | sempre |
# | 2 | aumentar $\log D(G(z))$ | vale | `loss: non_saturating` ou `relativistic` |
# | 3 | um $z$ esférico | vale | sempre; `gan_hub.latents.slerp` |
# | 4 | reais e falsas em lotes separados | só com *batch norm*, de que a R1 não gosta | `discriminator: {norm: none}` |
# | 5 | nada de ReLU nem de *max-pooling* em $D$ | vale para convoluções | nelas, sempre |
# | 6 | rótulos suaves e ruidosos | pouco usado; suavize só os das reais | `label_smoothing`; os ruidosos são recusados |
# | 7 | DCGAN | boa para começar; a aula 5 segue adiante | `architecture` |
# | 8 | mostrar de novo falsas antigas | não: a média e a R1 acalmam o mesmo vaivém | `ema_halflife_kimg`, `r1_gamma` |
# | 9 | SGD para $D$, Adam para $G$ | não: Adam para os dois, com pouco momento | `optimizer_discriminator`, `beta1` |
# | 10 | perceber cedo as falhas | vale mais do que nunca | `alarms: stop` |
# | 11 | não equilibrar olhando as perdas | vale: você viu por quê | `skip_discriminator_below` vem desligado |
# | 12 | usar rótulos, se houver | vale, mas por projeção, não com um classificador | `conditional: true` |
# | 13 | ruído no que $D$ vê | vale; a R1, ou o aumento de dados quando há poucas imagens, quase sempre o substitui | `instance_noise`, `augment` |
# | 14 | treinar mais o $D$ | só se $D$ for o lento, ou um crítico de Wasserstein | `discriminator_steps`, duas taxas |
# | 15 | mostrar a $D$ lotes inteiros | vale, numa forma simples | `discriminator: {minibatch_stddev: true}` |
# | 16 | classes como *embeddings*, com poucos canais | vale | `conditional: true` |
# | 17 | *dropout* em $G$, até no uso | não: o mesmo $z$ deve dar a mesma imagem | recusado |
#
# As razões, dica por dica, estão em [Treino](../../training.md#the-17-tips-of-ganhacks). Quem muda uma opção de uma boa receita se engana
# menos com o acaso do que quem muda cinco.

# %%
from gan_hub import TrainConfig

for options in (
    {"loss": "relativistic", "r1_gamma": 0.5},
    {"learning_rate_discriminator": 0.001},
    {"instance_noise": 0.1, "instance_noise_kimg": 100},
    {"discriminator_steps": 5},
    {"label_smoothing": 0.1},
    {"alarms": "stop"},
):
    TrainConfig(**options)  # checks them, trains nothing
    print("gan-hub train dcgan-mnist", *(f"--{name} {value}" for name, value in options.items()))
for refused in ({"replay": 1000}, {"generator": {"dropout": 0.5}}):
    try:
        TrainConfig.from_recipe("dcgan-mnist", **refused)
    except ValueError as sentence:
        print(sentence)

# %% [markdown] lang="en"
# A tip that is not here is answered with a sentence, not with silence.
#
# **On the page.** Say `gan-hub demo` in a terminal, and play with it in the tab *Two dimensions*:
# [the game that collapses](http://127.0.0.1:7860/?tab=plane&data=ring&loss=non_saturating&k=1&lg=0.002&ld=0.0002&noise=0&r1=0&averaged=0&seed=0),
# [the one that starves](http://127.0.0.1:7860/?tab=plane&data=ring&loss=minimax&k=1&lg=0.005&ld=0.005&noise=0&r1=0&averaged=0&seed=0). Change
# anything while it runs. *Watch it train* shows [the night of garments](http://127.0.0.1:7860/?tab=watch&model=dcgan-fashion-mnist) with its
# curves.
#
# ## Exercises
#
# 1. Let $D$ be the fast one: `watch(begin(**calm | {"learning_rate_discriminator": 0.02}))`, then the same with `"r1_gamma": 0`. Which of
#    the three illnesses do you expect, and does it come?
# 2. Look for the `skip` that serves the lower row best: 0.6, 1, 1.2 or 1.35? And what does 1.35 do to a game that needs no such help,
#    `dict(calm, r1_gamma=0, discriminator_steps=5)`? What did tip 11 warn you of?
# 3. Give the smallest game a Wasserstein critic: let `value` return `(weight * psi * (reals - fakes)).sum()`. Noise does not help any more.
#    Why not?
# 4. `begin(DATASETS["grid"], **calm)` has 25 modes. How many does it hit after 1,000 steps, and after 3,000
#    (`DATASETS["grid"].judge(game.sample(5000))`)?
#
# **A question.** *The collapse above came with rates of 0.002 and 0.0002. "Both too high," says a friend, "take a tenth of each, and be
# patient." Is your friend right?* Write down your answer, then run the next cell.

# %% [markdown] lang="pt"
# Uma dica que não existe aqui recebe uma frase como resposta, e não silêncio.
#
# **Na página.** Digite `gan-hub demo` num terminal e brinque com isso na aba *Duas dimensões*:
# [o jogo que colapsa](http://127.0.0.1:7860/?tab=plane&data=ring&loss=non_saturating&k=1&lg=0.002&ld=0.0002&noise=0&r1=0&averaged=0&seed=0),
# [o que passa fome](http://127.0.0.1:7860/?tab=plane&data=ring&loss=minimax&k=1&lg=0.005&ld=0.005&noise=0&r1=0&averaged=0&seed=0). Mude o
# que quiser com o jogo andando. *Veja treinar* mostra [o treino das roupas](http://127.0.0.1:7860/?tab=watch&model=dcgan-fashion-mnist) com
# as curvas.
#
# ## Exercícios
#
# 1. Faça de $D$ o rápido: `watch(begin(**calm | {"learning_rate_discriminator": 0.02}))`, depois o mesmo com `"r1_gamma": 0`. Qual das
#    três doenças você espera, e ela vem?
# 2. Procure o `skip` que melhor serve à fileira de baixo: 0,6, 1, 1,2 ou 1,35? E o que 1,35 faz com um jogo que não precisa dessa ajuda,
#    `dict(calm, r1_gamma=0, discriminator_steps=5)`? De que a dica 11 avisava?
# 3. Dê ao menor jogo um crítico de Wasserstein: faça `value` devolver `(weight * psi * (reals - fakes)).sum()`. O ruído já não ajuda. Por
#    que não?
# 4. `begin(DATASETS["grid"], **calm)` tem 25 modos. Quantos ele acerta depois de 1.000 passos, e depois de 3.000
#    (`DATASETS["grid"].judge(game.sample(5000))`)?
#
# **Uma pergunta.** *O colapso lá de cima veio com as taxas 0,002 e 0,0002. "Altas demais", diz um amigo, "pegue um décimo de cada uma e
# tenha paciência." Ele tem razão?* Anote sua resposta e rode a próxima célula.

# %%
patient = treat({}, {"learning_rate_generator": 0.0002, "learning_rate_discriminator": 0.00002}, steps=2000)
slow = treat({}, {"learning_rate_generator": 0.0002, "learning_rate_discriminator": 0.0002}, steps=2000)
figure, axes = plt.subplots(1, 2, figsize=(4.6, 2.5))
for axis, game, title in zip(axes, (patient, slow), ("0.0002, 0.00002", "0.0002, 0.0002")):
    draw(axis, game, title, game.ema.model)
figure.tight_layout()
plt.show()
print(f"{diversity(patient):.2f}, {diversity(slow):.2f}")

# %% [markdown] lang="en"
# No. Ten times as slow is the same game in slow motion; what collapses it is the *ratio* of the two rates. Raising only $D$'s, to the
# generator's small rate, is enough. Patience is a virtue in training GANs, but first be sure of what you are waiting for.

# %% [markdown] lang="pt"
# Não. Dez vezes mais devagar é o mesmo jogo em câmera lenta; o que o faz colapsar é a *razão* entre as duas taxas. Subir só a de $D$, até a
# taxa pequena do gerador, já basta. Paciência é uma virtude para quem treina GANs, mas antes tenha certeza do que está esperando.
