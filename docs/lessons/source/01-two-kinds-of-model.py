# %% [markdown] lang="en"
# # 1. Two kinds of model
#
# *Discriminative and generative; drawing from a distribution; matching moments.*
#
# Show a child a hundred cats and a hundred dogs. Afterwards you can ask two very different things: "Which one is this?", and
# "Draw me one." This lesson is about the second question, and about why the first one will help.

# %% [markdown] lang="pt"
# # 1. Dois tipos de modelo
#
# *Discriminativo e generativo; sortear de uma distribuição; casar momentos.*
#
# Mostre a uma criança cem gatos e cem cachorros. Depois você pode pedir duas coisas bem diferentes: "Qual dos dois é este?" e
# "Desenhe um para mim." Esta aula trata do segundo pedido, e de por que o primeiro vai ajudar.

# %%
import matplotlib.pyplot as plt
import torch

from gan_hub import theory

torch.manual_seed(0)
plt.rcParams["figure.figsize"] = (7, 2.6)

# %% [markdown] lang="en"
# ## One number an animal
#
# To see everything at once, an animal is a single number here: its weight $x$ in kilograms. Cats ($y=0$) weigh about four,
# dogs ($y=1$) come in two sizes. There are twice as many dogs as cats.

# %% [markdown] lang="pt"
# ## Um número por animal
#
# Para enxergar tudo de uma vez, aqui um animal é um único número: seu peso $x$ em quilos. Gatos ($y=0$) pesam uns quatro,
# cachorros ($y=1$) vêm em dois tamanhos. Há o dobro de cachorros.

# %%
x = theory.line(0, 16)
cats = theory.normal(x, 4.2, 0.9)  # p(x | y=0)
dogs = theory.mixture(x, means=[5.5, 10], stds=[1.0, 1.6])  # p(x | y=1)
p_cat, p_dog = 1 / 3, 2 / 3

plt.plot(x, cats, label="$p(x\\,|\\,y=0)$")
plt.plot(x, dogs, label="$p(x\\,|\\,y=1)$")
plt.xlabel("x")
plt.legend()
plt.show()

# %% [markdown] lang="en"
# Each curve says how often a weight comes **within** one kind: $p(x\,|\,y)$. Whoever knows it can draw new animals. That is a
# **generative** model.
#
# ## The other direction
#
# "Which one is this?" asks for $p(y\,|\,x)$, and Bayes' rule turns one into the other:
#
# $$p(y{=}1\,|\,x) = \frac{p(x\,|\,y{=}1)\,p(y{=}1)}{p(x\,|\,y{=}0)\,p(y{=}0) + p(x\,|\,y{=}1)\,p(y{=}1)}$$

# %% [markdown] lang="pt"
# Cada curva diz com que frequência um peso aparece **dentro** de uma espécie: $p(x\,|\,y)$. Quem a conhece consegue inventar
# animais novos. Isso é um modelo **generativo**.
#
# ## Na outra direção
#
# "Qual dos dois é este?" pergunta por $p(y\,|\,x)$, e a regra de Bayes leva de uma à outra:
#
# $$p(y{=}1\,|\,x) = \frac{p(x\,|\,y{=}1)\,p(y{=}1)}{p(x\,|\,y{=}0)\,p(y{=}0) + p(x\,|\,y{=}1)\,p(y{=}1)}$$

# %%
posterior = dogs * p_dog / (cats * p_cat + dogs * p_dog)

plt.plot(x, posterior, color="C2", label="$p(y=1\\,|\\,x)$")
plt.axhline(0.5, color="grey", lw=0.5)
plt.xlabel("x")
plt.legend()
plt.show()

# %% [markdown] lang="en"
# A **discriminative** model learns this third curve directly and never finds out what a cat weighs. That is less work: one
# number between 0 and 1, however many numbers $x$ has. A small network learns it from examples alone.

# %% [markdown] lang="pt"
# Um modelo **discriminativo** aprende direto esta terceira curva e nunca descobre quanto pesa um gato. Dá menos trabalho: um
# número entre 0 e 1, por mais números que $x$ tenha. Uma rede pequena a aprende só com exemplos.


# %%
def draw_animals(n):
    """n weights and kinds, as they come in the world."""
    kinds = (torch.rand(n) < p_dog).long()
    large = torch.rand(n) < 0.5
    cat = 4.2 + 0.9 * torch.randn(n)
    dog = torch.where(large, 10 + 1.6 * torch.randn(n), 5.5 + 1.0 * torch.randn(n))
    return torch.where(kinds == 1, dog, cat), kinds


weights, kinds = draw_animals(4000)
classifier = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
adam = torch.optim.Adam(classifier.parameters(), lr=0.01)
for _ in range(500):
    logits = classifier(weights[:, None] / 5 - 1).squeeze(1)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, kinds.float())
    adam.zero_grad()
    loss.backward()
    adam.step()

with torch.no_grad():
    learned = torch.sigmoid(classifier(x.float()[:, None] / 5 - 1)).squeeze(1)
plt.plot(x, posterior, color="C2", label="$p(y=1\\,|\\,x)$")
plt.plot(x, learned, "k--", label="$D(x)$")
plt.xlabel("x")
plt.legend()
plt.show()

# %% [markdown] lang="en"
# The dashed line is what the network says. It follows the truth where there were animals, and nobody can blame it for what
# it says about weights that it never saw.
#
# Keep this in mind: **a network that tells two piles of examples apart learns a ratio of their densities**, without knowing
# either. In lesson 3 that will be the whole secret of a discriminator.
#
# ## Drawing is the art of bending noise
#
# A computer gives us uniform or normal random numbers. Everything else is made of them by a function. If $F$ is the
# cumulative distribution, $F(x) = \int_{-\infty}^x p(t)\,dt$, then $F^{-1}(u)$ of a uniform $u$ is distributed like $p$.

# %% [markdown] lang="pt"
# A linha tracejada é o que a rede diz. Ela segue a verdade onde havia animais, e ninguém pode culpá-la pelo que fala de pesos
# que nunca viu.
#
# Guarde isto: **uma rede que separa dois montes de exemplos aprende uma razão entre as densidades deles**, sem conhecer
# nenhuma das duas. Na aula 3, este será todo o segredo de um discriminador.
#
# ## Sortear é a arte de entortar ruído
#
# O computador nos dá números aleatórios uniformes ou normais. Todo o resto se faz com eles e uma função. Se $F$ é a
# distribuição acumulada, $F(x) = \int_{-\infty}^x p(t)\,dt$, então $F^{-1}(u)$ de um $u$ uniforme tem a distribuição $p$.

# %%
cumulative = torch.cumulative_trapezoid(dogs, x)
u = torch.rand(5000, dtype=torch.float64)
drawn = x[1:][torch.searchsorted(cumulative, u).clamp(max=len(cumulative) - 1)]

figure, (left, right) = plt.subplots(1, 2)
left.plot(u[:200].sort().values, drawn[:200].sort().values, "C1")
left.set(xlabel="u", ylabel="$F^{-1}(u)$")
right.hist(drawn, 80, density=True, color="C1", alpha=0.4)
right.plot(x, dogs, "C1")
right.set(xlabel="x")
figure.tight_layout()
plt.show()

# %% [markdown] lang="en"
# The curve on the left **is a generator**: noise goes in, animals come out. It is flat where animals are frequent, and
# steep over the gap between small and large dogs.
#
# For a picture of 784 pixels nobody can write down $F$. But we may *learn* a function $G$ that bends noise, if somebody tells
# us in which way its outputs still differ from the data.
#
# ## First try: match the mean and the variance
#
# A straight line $G(z) = a + bz$ has two numbers to choose, enough for two moments.

# %% [markdown] lang="pt"
# A curva da esquerda **é um gerador**: entra ruído, saem animais. Ela é plana onde os animais são frequentes e íngreme no vão
# entre os cachorros pequenos e os grandes.
#
# Para uma imagem de 784 pixels, ninguém sabe escrever $F$. Mas podemos *aprender* uma função $G$ que entorte o ruído, desde
# que alguém nos diga em que o resultado ainda difere dos dados.
#
# ## Primeira tentativa: casar média e variância
#
# Uma reta $G(z) = a + bz$ tem dois números a escolher, o bastante para dois momentos.

# %%
real = drawn.float()
z = torch.randn(5000)
line = real.mean() + real.std() * z

plt.hist(real, 80, density=True, color="C1", alpha=0.4, label="$x$")
plt.hist(line, 80, density=True, color="C0", alpha=0.4, label="$a + bz$")
plt.legend()
plt.show()
print(f"mean {real.mean():.2f} = {line.mean():.2f}    std {real.std():.2f} = {line.std():.2f}")

# %% [markdown] lang="en"
# Mean and variance are the same and the picture is wrong: most of these "dogs" have a weight that hardly any dog has. Two
# moments do not make a distribution. Which moments would?
#
# ## Second try: all of them at once
#
# Put a small bump (a kernel $k$) on each point. Two samples are alike if their bumps pile up alike. Written out, that is the
# **maximum mean discrepancy** (Gretton et al. 2012, equation 3):
#
# $$\mathrm{MMD}^2 = \mathbb{E}\,k(x, x') + \mathbb{E}\,k(y, y') - 2\,\mathbb{E}\,k(x, y), \qquad
# k(a,b) = e^{-\|a-b\|^2 / 2\sigma^2}$$
#
# The series of the exponential contains every power of $x$, so every moment takes part.

# %% [markdown] lang="pt"
# Média e variância são iguais e a figura está errada: a maioria destes "cachorros" tem um peso que quase nenhum cachorro tem.
# Dois momentos não fazem uma distribuição. Quais fariam?
#
# ## Segunda tentativa: todos de uma vez
#
# Ponha um montinho (um núcleo $k$) sobre cada ponto. Duas amostras se parecem se os montinhos se acumulam do mesmo jeito. Por
# extenso, é a **discrepância máxima das médias** (MMD; Gretton et al. 2012, equação 3):
#
# $$\mathrm{MMD}^2 = \mathbb{E}\,k(x, x') + \mathbb{E}\,k(y, y') - 2\,\mathbb{E}\,k(x, y), \qquad
# k(a,b) = e^{-\|a-b\|^2 / 2\sigma^2}$$
#
# A série da exponencial contém todas as potências de $x$: todos os momentos participam.

# %%
from gan_hub.losses import mmd2

other_dogs = real[torch.randperm(5000)[:2000]]
for name, sample in {"x, x'": other_dogs, "x, a + bz": line}.items():
    print(f"MMD²({name:9}) = {mmd2(real[:2000, None], sample[:2000, None], bandwidths=[0.5, 1, 2]).item():+.4f}")

# %% [markdown] lang="en"
# Zero, but for chance, where both are dogs; clearly above zero for the straight line. And it can be differentiated, so a network
# can go downhill on it. That is a **generative moment matching network** (Li et al. 2015): no rival, just a distance.

# %% [markdown] lang="pt"
# Zero, a menos do acaso, quando ambas são de cachorros; claramente acima de zero para a reta. E dá para derivar, então uma rede
# pode descer por ela. Isso é uma **rede generativa de casamento de momentos** (GMMN; Li et al. 2015): sem rival, só uma
# distância.

# %%
generator = torch.nn.Sequential(
    torch.nn.Linear(1, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1)
)
adam = torch.optim.Adam(generator.parameters(), lr=0.003)
curve = []
for _ in range(600):
    batch = real[torch.randint(len(real), (256,)), None]
    fakes = generator(torch.randn(256, 1)) + real.mean()
    loss = mmd2(fakes, batch, bandwidths=[0.5, 1, 2, 4], unbiased=False)
    adam.zero_grad()
    loss.backward()
    adam.step()
    curve.append(loss.item())

with torch.no_grad():
    bent = (generator(z[:, None]) + real.mean()).squeeze(1)
figure, (left, right) = plt.subplots(1, 2)
left.semilogy(curve)
left.set(xlabel="t", ylabel="MMD²")
right.hist(real, 80, density=True, color="C1", alpha=0.4, label="$x$")
right.hist(bent, 80, density=True, color="C2", alpha=0.4, label="$G(z)$")
right.legend()
figure.tight_layout()
plt.show()

# %% [markdown] lang="en"
# Two humps. Nobody told the network that there are two sizes of dogs.
#
# ## Would a sceptic notice?
#
# A number near zero proves nothing until we know what chance alone gives. The **permutation test** mixes both samples, deals
# them out again 500 times, and counts how often chance is at least as far apart as what we saw. That share is $p$.

# %% [markdown] lang="pt"
# Duas corcovas. Ninguém contou à rede que há dois tamanhos de cachorro.
#
# ## Um cético perceberia?
#
# Um número perto de zero não prova nada enquanto não soubermos o que só o acaso daria. O **teste de permutação** mistura as
# duas amostras, redistribui 500 vezes e conta quantas vezes o acaso fica pelo menos tão longe quanto o que vimos. Essa
# fração é $p$.

# %%
from gan_hub.metrics.kernels import permutation_test

for name, sample in {"x'": other_dogs, "a + bz": line, "G(z)": bent}.items():
    print(f"{name:7} p = {permutation_test(real[:500, None], sample[-500:, None]):.3f}")

# %% [markdown] lang="en"
# The straight line is found out at once. With 500 animals the network passes for the real thing, or nearly so.
#
# ## And pictures?
#
# On digits the same loss works, slowly and blurrily: `gan-hub train gmmn-mnist` is five minutes of a core, and its grid stands in
# the [gallery](../../gallery.md). The bump of the kernel measures the distance of *pixels*: a seven moved by two pixels is
# farther from itself than from a smudge. What we would like is somebody who looks at both piles and **learns** where to look.
# You have met that somebody above: the dashed line.
#
# In [lesson 2](02-the-game.ipynb) the two networks meet.
#
# **On the page.** Say `gan-hub demo` in a terminal: in the tab *Sample* noise becomes
# [sixteen digits](http://127.0.0.1:7860/?tab=sample&model=mlp-mnist&seeds=0-15), a number a picture. Lesson 2 says how it was trained.
#
# ## Exercises
#
# 1. Train the GMMN with `bandwidths=[0.05]` only, then with `[20]` only. Explain both pictures by the bumps.
# 2. `permutation_test` with 100 animals a side instead of 500: does the straight line still stand out? Find the smallest
#    number at which it does.
# 3. Give $G$ the noise $z \in \{0, 1\}$ (`torch.randint(2, (256, 1)).float()`). What is the best it can do, and why?
#
# **A question.** *You train $G$ until MMD² is exactly zero on its 4,000 training animals. Have you found $p(x)$?*
# Write down your answer, then run the next cell.

# %% [markdown] lang="pt"
# A reta é desmascarada na hora. Com 500 animais, a rede passa por verdadeira, ou quase.
#
# ## E imagens?
#
# Com dígitos a mesma perda funciona, devagar e borrado: `gan-hub train gmmn-mnist` leva cinco minutos de um núcleo, e o resultado
# está na [galeria](../../gallery.md). O montinho do núcleo mede a distância entre *pixels*: um sete deslocado dois pixels
# fica mais longe de si mesmo que de um borrão. O que queremos é alguém que olhe os dois montes e **aprenda** onde olhar. Você já
# conheceu esse alguém: a linha tracejada.
#
# Na [aula 2](02-the-game.ipynb) as duas redes se encontram.
#
# **Na página.** Digite `gan-hub demo` num terminal: na aba *Sortear* o ruído vira
# [dezesseis dígitos](http://127.0.0.1:7860/?tab=sample&model=mlp-mnist&seeds=0-15), um número por imagem. A aula 2 conta como ela foi treinada.
#
# ## Exercícios
#
# 1. Treine a GMMN só com `bandwidths=[0.05]`, depois só com `[20]`. Explique as duas figuras pelos montinhos.
# 2. `permutation_test` com 100 animais de cada lado em vez de 500: a reta ainda chama a atenção? Ache o menor número com que
#    ela chama.
# 3. Dê a $G$ o ruído $z \in \{0, 1\}$ (`torch.randint(2, (256, 1)).float()`). Qual é o melhor que ela consegue, e por quê?
#
# **Uma pergunta.** *Você treina $G$ até a MMD² ser exatamente zero nos 4.000 animais de treino. Você encontrou $p(x)$?*
# Anote sua resposta e rode a próxima célula.

# %%
parrot = real[torch.randint(4000, (5000,))]  # a "generator" that repeats what it was shown
seen, unseen = real[:4000], real[4000:]
print(f"MMD²(x, G) = {mmd2(seen[:2000, None], parrot[:2000, None], [0.5, 1, 2]).item():+.4f}")
print(
    f"G(z) in x: parrot {torch.isin(parrot, seen).float().mean():.0%}, GMMN {torch.isin(bent, seen).float().mean():.0%}"
)

# %% [markdown] lang="en"
# No. This "generator" repeats its training animals: no distance between samples finds fault with it, yet it has drawn nothing
# new (every one of its animals is in the training set). A generator is worth something where it *fills the gaps*, and lesson 7
# measures that.

# %% [markdown] lang="pt"
# Não. Este "gerador" repete os animais de treino: nenhuma distância entre amostras vê defeito nele, e no entanto ele não
# inventou nada (todos os seus animais estão no conjunto de treino). Um gerador vale alguma coisa quando *preenche os vãos*, e
# a aula 7 mede isso.
