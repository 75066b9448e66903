# %% [markdown] lang="en"
# # 3. The optimal discriminator
#
# *The closed form; 2·JSD − log 4; the absolute error, which is another game; the equilibrium at one half.*
#
# In the game of lesson 2 both networks move at once, and it is hard to see who did what. So we stop time. The generator stands
# still, and the discriminator may become as good as it likes. What does it become?

# %% [markdown] lang="pt"
# # 3. O discriminador ótimo
#
# *A forma fechada; 2·JSD − log 4; o erro absoluto, que é outro jogo; o equilíbrio em um meio.*
#
# No jogo da aula 2 as duas redes andam ao mesmo tempo, e é difícil ver quem fez o quê. Então paramos o relógio. O gerador fica
# quieto, e o discriminador pode ficar tão bom quanto quiser. O que ele vira?

# %%
import math

import matplotlib.pyplot as plt
import torch

from gan_hub import theory

torch.manual_seed(0)
plt.rcParams["figure.figsize"] = (7, 2.6)

x = theory.line(-8, 8)
target = theory.mixture(x, means=[-2, 2], stds=[0.8, 0.8])  # the data
generated = theory.normal(x, mean=0.5, std=1.5)  # a generator that has not learned yet

# %% [markdown] lang="en"
# ## One point at a time
#
# The discriminator maximises (Goodfellow et al. 2014, equation 1)
#
# $$V(D) = \int p_t(x)\,\log D(x) + p_g(x)\,\log(1 - D(x))\;dx$$
#
# where $p_t$ is the density of the data (the *target*) and $p_g$ the generator's. Under the integral each $x$ has a $D(x)$ of its
# own, and no point disturbs another. So look at a single one, and simply try every answer.

# %% [markdown] lang="pt"
# ## Um ponto de cada vez
#
# O discriminador maximiza (Goodfellow et al. 2014, equação 1)
#
# $$V(D) = \int p_t(x)\,\log D(x) + p_g(x)\,\log(1 - D(x))\;dx$$
#
# onde $p_t$ é a densidade dos dados (o alvo, *target*) e $p_g$ a do gerador. Dentro da integral cada $x$ tem o seu próprio
# $D(x)$, e um ponto não atrapalha o outro. Olhe então um só e simplesmente experimente todas as respostas.

# %%
here = (x + 2).abs().argmin()  # the place -2
pt, pg = target[here].item(), generated[here].item()
answers = torch.linspace(0.001, 0.999, 999)
value = pt * answers.log() + pg * (1 - answers).log()

plt.plot(answers, value)
plt.axvline(answers[value.argmax()], color="grey", ls="--")
plt.axvline(pt / (pt + pg), color="C3", ls=":")
plt.xlabel("$D(-2)$")
plt.show()
print(f"argmax = {answers[value.argmax()]:.3f}    p_t / (p_t + p_g) = {pt / (pt + pg):.3f}")

# %% [markdown] lang="en"
# The best answer is the share of the data among everything that comes to this place. (Set the derivative
# $p_t/D - p_g/(1-D)$ to zero, and you have proved it.) For all points together this is proposition 1 of the paper:
#
# $$D^*(x) = \frac{p_t(x)}{p_t(x) + p_g(x)}$$

# %% [markdown] lang="pt"
# A melhor resposta é a parcela dos dados em tudo o que chega a este lugar. (Iguale a derivada $p_t/D - p_g/(1-D)$ a zero, e
# está demonstrado.) Para todos os pontos juntos, é a proposição 1 do artigo:
#
# $$D^*(x) = \frac{p_t(x)}{p_t(x) + p_g(x)}$$

# %%
best = theory.optimal_discriminator(target, generated)

plt.fill_between(x, target, alpha=0.3, label="$p_t$")
plt.fill_between(x, generated, alpha=0.3, label="$p_g$")
plt.plot(x, best, "C3", label="$D^*$")
plt.axhline(0.5, color="grey", lw=0.5)
plt.legend()
plt.show()

# %% [markdown] lang="en"
# Read the red line from left to right. It is high where the generator is too rare, low where it is too frequent, and it crosses
# ½ exactly where the two densities cross. At the far right it says 0 with great certainty, although next to nothing of
# either comes there: $D^*$ knows ratios, not amounts.
#
# ## Does a network find it?
#
# It sees no density, only examples. Lesson 1 said that this is enough.

# %% [markdown] lang="pt"
# Leia a linha vermelha da esquerda para a direita. Ela é alta onde o gerador aparece de menos, baixa onde aparece demais, e
# cruza ½ exatamente onde as duas densidades se cruzam. Na ponta direita diz 0 com toda a certeza, embora quase nada de um ou
# de outro chegue lá: $D^*$ conhece razões, não quantidades.
#
# ## Uma rede o encontra?
#
# Ela não vê densidade nenhuma, só exemplos. A aula 1 disse que isso basta.

# %%
from gan_hub.losses import non_saturating_discriminator


def draw_target(n):
    return torch.randn(n, 1) * 0.8 + torch.randint(2, (n, 1)) * 4.0 - 2.0


def draw_generated(n):
    return torch.randn(n, 1) * 1.5 + 0.5


network = torch.nn.Sequential(
    torch.nn.Linear(1, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1)
)
adam = torch.optim.Adam(network.parameters(), lr=0.002)
for _ in range(1500):
    loss = non_saturating_discriminator(network(draw_target(512)), network(draw_generated(512)))
    adam.zero_grad()
    loss.backward()
    adam.step()

with torch.no_grad():
    learned = torch.sigmoid(network(x.float()[:, None])).squeeze(1).double()
plt.plot(x, best, "C3", label="$D^*$")
plt.plot(x, learned, "k--", label="$D$")
plt.legend()
plt.show()
for name, discriminator in {"D*": best, "D": learned, "1/2": torch.full_like(x, 0.5)}.items():
    print(f"V({name:3}) = {theory.value(discriminator, target, generated, x):.4f}")

# %% [markdown] lang="en"
# Nearly; and its value stays below that of $D^*$, as it must. At the left edge it is wrong, where it never saw an example of
# either kind. Whoever just shrugs ($D = ½$) reaches $-\log 4 = -1.3863$.
#
# ## What the generator plays against
#
# Put $D^*$ back into $V$. A few lines of algebra (theorem 1) give
#
# $$V(D^*) = 2\,\mathrm{JSD}(p_t\,\|\,p_g) - \log 4$$
#
# with the Jensen–Shannon divergence, which is 0 for equal densities and $\log 2$ for densities that never meet. A perfect
# discriminator turns the game into a *distance* between the two distributions. Let the generator come nearer, step by step.

# %% [markdown] lang="pt"
# Quase; e o valor dela fica abaixo do de $D^*$, como tem que ser. Na borda esquerda ela erra, pois lá nunca viu exemplo nenhum.
# Quem só dá de ombros ($D = ½$) chega a $-\log 4 = -1{,}3863$.
#
# ## Contra o que o gerador joga
#
# Ponha $D^*$ de volta em $V$. Algumas linhas de álgebra (teorema 1) dão
#
# $$V(D^*) = 2\,\mathrm{JSD}(p_t\,\|\,p_g) - \log 4$$
#
# com a divergência de Jensen–Shannon, que é 0 para densidades iguais e $\log 2$ para densidades que nunca se encontram. Um
# discriminador perfeito transforma o jogo numa *distância* entre as duas distribuições. Deixe o gerador chegar mais perto,
# passo a passo.

# %%
wide = theory.line(-20, 20, 8001)
data = theory.normal(wide, 0, 0.5)
distances = torch.linspace(0, 8, 81)
values, divergences = [], []
for distance in distances.tolist():
    fakes = theory.normal(wide, distance, 0.5)
    values.append(theory.value(theory.optimal_discriminator(data, fakes), data, fakes, wide))
    divergences.append(2 * theory.jensen_shannon(data, fakes, wide) - math.log(4))

plt.plot(distances, values, label="$V(D^*)$")
plt.plot(distances, divergences, "k:", label="$2\\,JSD - \\log 4$")
plt.axhline(-math.log(4), color="grey", lw=0.5)
plt.xlabel("$|\\mu_t - \\mu_g|$")
plt.legend()
plt.show()

# %% [markdown] lang="en"
# Two things to remember, one at each end.
#
# - **At the left end**, where $p_g = p_t$, the value is $-\log 4$ and $D^* = ½$ everywhere: nobody can do better than a coin.
#   That is the equilibrium of the game.
# - **At the right end** the curve is flat. A generator that is far off sees no slope: with a perfect discriminator it learns
#   nothing. In lesson 4 this is called a vanishing gradient, and it is made to happen.
#
# ## A detour: the absolute error
#
# Suppose that somebody minimises $½\,\mathbb{E}\,|1 - D(x)| + ½\,\mathbb{E}\,|D(G(z))|$ instead, which looks just as reasonable:
# 1 for reals, 0 for fakes. At one point again:

# %% [markdown] lang="pt"
# Duas coisas a guardar, uma em cada ponta.
#
# - **Na ponta esquerda**, onde $p_g = p_t$, o valor é $-\log 4$ e $D^* = ½$ em toda parte: ninguém faz melhor que uma moeda.
#   É o equilíbrio do jogo.
# - **Na ponta direita** a curva é plana. Um gerador que está longe não vê inclinação: com um discriminador perfeito ele não
#   aprende nada. Na aula 4 isso se chama gradiente que desaparece, e vamos provocá-lo.
#
# ## Um desvio: o erro absoluto
#
# Suponha que alguém minimize $½\,\mathbb{E}\,|1 - D(x)| + ½\,\mathbb{E}\,|D(G(z))|$, que parece igualmente razoável: 1 para as
# reais, 0 para as falsas. De novo num ponto só:

# %%
error = (pt * (1 - answers).abs() + pg * answers.abs()) / 2
decision = theory.indicator_discriminator(target, generated)

figure, (left, right) = plt.subplots(1, 2)
left.plot(answers, error)
left.set(xlabel="$D(-2)$")
right.plot(x, best, "C3", label="log")
right.plot(x, decision, "C0", label="$|\\cdot|$")
right.legend()
figure.tight_layout()
plt.show()
for name, discriminator in {"decision": decision, "D*": best}.items():
    print(f"error({name:8}) = {theory.absolute_error(discriminator, target, generated, x):.4f}")
print(f"overlap / 2     = {theory.least_absolute_error(target, generated, x):.4f}")

# %% [markdown] lang="en"
# The error is a straight line in $D$, so its minimum lies at an end: all or nothing. The best discriminator of this loss is
# a **decision** (1 where the data are more frequent, else 0), not a probability, and $D^*$ is not even good at it. A step has no
# slope that a generator could follow. Its value is half the overlap of the two densities: the error of the best possible
# detective. A different loss is a different game with a different optimum, which is why the choice of a loss matters.

# %% [markdown] lang="pt"
# O erro é uma reta em $D$, e por isso o mínimo fica numa ponta: tudo ou nada. O melhor discriminador desta perda é uma
# **decisão** (1 onde os dados são mais frequentes, senão 0), não uma probabilidade, e $D^*$ nem é bom nela. Um degrau não tem
# inclinação que um gerador possa seguir. O valor é metade da sobreposição das duas densidades: o erro do melhor perito
# possível. Outra perda é outro jogo, com outro ótimo; por isso a escolha da perda importa.

# %% [markdown] lang="en"
# ## The published judges
#
# The bundled models come with their discriminators, and with the line that turns their raw scores into probabilities. Are they
# at equilibrium?

# %% [markdown] lang="pt"
# ## Os juízes publicados
#
# Os modelos do pacote vêm com seus discriminadores, e com a reta que transforma as notas brutas em probabilidades. Estarão em
# equilíbrio?

# %%
from gan_hub import GANPipeline

pipe = GANPipeline.from_pretrained("dcgan-fashion-mnist")
fakes = pipe(seeds=range(64), output_type="pt")
judged = pipe.judge(fakes.images, fakes.labels)

plt.hist(judged, bins=20, range=(0, 1))
plt.axvline(0.5, color="grey")
plt.xlabel("$D(G(z))$")
plt.show()
print(f"{judged.mean():.2f}")

# %% [markdown] lang="en"
# Most lie below ½: this discriminator still sees something in the pictures that gives them away. So the game is not over, and
# it never quite is: real networks stop before the equilibrium.
#
# **On the page.** Say `gan-hub demo` in a terminal. In the tab *Two dimensions* the right picture is $D^*$
# [of the logarithm](http://127.0.0.1:7860/?tab=plane&data=moons&loss=non_saturating), or the decision
# [of a hinge](http://127.0.0.1:7860/?tab=plane&data=moons&loss=hinge), beside the network that looks for it. In *Real or fake?* you
# [play against the judge above](http://127.0.0.1:7860/?tab=game&model=dcgan-fashion-mnist).
#
# ## Exercises
#
# 1. Give $D^*$ unequal shares: three reals to one fake in a batch. What replaces ½ at equilibrium? Derive it, then check with
#    `theory.optimal_discriminator(3 * target, target)`: at equilibrium the generator's density is the target.
# 2. Train the network above with 20 reals that never change instead of fresh ones. Plot it beside $D^*$. What has it learned?
# 3. Add noise: widen both densities of the curve of distances from 0.5 to 2. What happens at its right end? (This is instance
#    noise, and lesson 4 uses it.)
#
# **A question.** *A calibrated discriminator says 0.8 to a picture. How many times more frequent is such a picture in the
# data than among the fakes?* Write down your answer, then run the next cell.

# %% [markdown] lang="pt"
# A maioria fica abaixo de ½: este discriminador ainda vê algo nas imagens que as denuncia. Portanto o jogo não acabou, e nunca
# acaba de todo: redes de verdade param antes do equilíbrio.
#
# **Na página.** Digite `gan-hub demo` num terminal. Na aba *Duas dimensões* a figura da direita é o $D^*$
# [do logaritmo](http://127.0.0.1:7860/?tab=plane&data=moons&loss=non_saturating), ou a decisão
# [da perda hinge](http://127.0.0.1:7860/?tab=plane&data=moons&loss=hinge), ao lado da rede que o procura. Em *Real ou falsa?* você
# [joga contra o juiz acima](http://127.0.0.1:7860/?tab=game&model=dcgan-fashion-mnist).
#
# ## Exercícios
#
# 1. Dê a $D^*$ parcelas desiguais: três reais para cada falsa no lote. O que toma o lugar de ½ no equilíbrio? Deduza e depois
#    confira com `theory.optimal_discriminator(3 * target, target)`: no equilíbrio a densidade do gerador é o alvo.
# 2. Treine a rede acima com 20 reais que nunca mudam, em vez de reais sempre novas. Desenhe-a ao lado de $D^*$. O que ela
#    aprendeu?
# 3. Acrescente ruído: alargue as duas densidades da curva das distâncias de 0,5 para 2. O que acontece na ponta direita? (É o
#    ruído de instância, e a aula 4 o usa.)
#
# **Uma pergunta.** *Um discriminador calibrado dá 0,8 a uma imagem. Quantas vezes uma imagem assim é mais frequente nos dados
# que entre as falsas?* Anote sua resposta e rode a próxima célula.

# %%
place = (best - 0.8).abs().argmin()
print(f"D* = {best[place]:.2f}    p_t / p_g = {(target / generated)[place]:.1f}")
print(f"D* / (1 - D*) = {(best / (1 - best))[place]:.1f}")

# %% [markdown] lang="en"
# Four times: $D^*/(1-D^*) = p_t/p_g$. A discriminator is a machine that measures how wrong a generator is, place by place, and
# its raw score, the logit, is the logarithm of that ratio. This is all that the generator ever gets to know about the data.

# %% [markdown] lang="pt"
# Quatro vezes: $D^*/(1-D^*) = p_t/p_g$. Um discriminador é uma máquina que mede quanto o gerador erra, lugar por lugar, e a nota
# bruta, o logit, é o logaritmo dessa razão. É tudo o que o gerador chega a saber sobre os dados.
