# %% [markdown] lang="en"
# # 6. The latent space
#
# *Where pictures live before they are pictures: distances, walks, sums, directions that have a name, and the price of
# beauty.*
#
# A generator is a function. You give it a list of random numbers, $z$, and it answers with a picture. So far we threw the dice
# and looked at the answer. Now we choose the numbers ourselves.

# %% [markdown] lang="pt"
# # 6. O espaço latente
#
# *Onde as imagens moram antes de serem imagens: distâncias, passeios, somas, direções que têm nome, e o preço da
# beleza.*
#
# Um gerador é uma função. Você lhe dá uma lista de números aleatórios, $z$, e ele responde com uma imagem. Até aqui jogamos os
# dados e olhamos a resposta. Agora quem escolhe os números somos nós.

# %%
import matplotlib.pyplot as plt
import torch

from gan_hub import GANPipeline
from gan_hub.images import grid
from gan_hub.latents import arithmetic, lerp, mix_styles, slerp

torch.manual_seed(0)
plt.rcParams["figure.figsize"] = (7, 2.6)


def show(images, columns=8):
    """The pictures in rows, pixels as they are."""
    sheet = grid(images, columns)
    plt.figure(figsize=(7, 7 * sheet.height / sheet.width), dpi=56)
    plt.imshow(sheet, cmap="gray", interpolation="nearest")
    plt.axis("off")
    plt.show()


cats = GANPipeline.from_pretrained("r3gan-cats-64", discriminator=None)
z = cats.sample_latents([0, 1, 2, 3, 4, 5, 6, 7])
print("z:", tuple(z.shape))
show(cats(latents=z).images)

# %% [markdown] lang="en"
# Eight rows of numbers, eight cats. A seed is nothing but a short name for a row: the same seed gives the same numbers, and the
# same numbers the same cat.
#
# ## An orange that is all peel
#
# How far from the centre are these points? Each of the $d$ numbers comes from a normal distribution, most often near 0. One would
# think that most points lie near the centre, too.

# %% [markdown] lang="pt"
# Oito linhas de números, oito gatos. Uma semente é só um apelido para uma linha: a mesma semente dá os mesmos números, e os
# mesmos números o mesmo gato.
#
# ## Uma laranja que é só casca
#
# A que distância do centro ficam esses pontos? Cada um dos $d$ números vem de uma distribuição normal, quase sempre perto de 0.
# Daria para pensar que a maioria dos pontos também fica perto do centro.

# %%
d = z.shape[1]
for size in (1, 2, 8, d):
    plt.hist(torch.randn(20000, size).norm(dim=1), 80, density=True, alpha=0.5, label=f"$d={size}$")
plt.axvline(d**0.5, color="grey", ls="--")
plt.xlabel("$|z|$")
plt.legend()
plt.show()

# %% [markdown] lang="en"
# With one number, yes. With many, never: nearly all points lie at the distance $\sqrt{d}$ (the dashed line), on a thin shell. The
# centre is the *most probable* place, and nothing ever comes there. The generator has never been asked about it.
#
# That matters as soon as we walk from one picture to another. The straight line leaves the shell.

# %% [markdown] lang="pt"
# Com um número só, sim. Com muitos, nunca: quase todos os pontos ficam à distância $\sqrt{d}$ (a linha tracejada), numa casca
# fina. O centro é o lugar *mais provável*, e nada chega lá. Ao gerador nunca se perguntou nada sobre ele.
#
# Isso importa assim que passeamos de uma imagem a outra. A linha reta sai da casca.

# %%
a, b = cats.sample_latents([2, 6])
steps = torch.linspace(0, 1, 9).tolist()
straight = torch.stack([lerp(a, b, t) for t in steps])
arc = torch.stack([slerp(a, b, t) for t in steps])

plt.plot(steps, straight.norm(dim=1), label="lerp")
plt.plot(steps, arc.norm(dim=1), label="slerp")
plt.ylim(bottom=0)
plt.xlabel("$t$")
plt.ylabel("$|z|$")
plt.legend()
plt.show()
show(cats(latents=torch.cat([straight, arc])).images, 9)

# %% [markdown] lang="en"
# Above the straight line (*lerp*), below the arc on the shell (*slerp*, Shoemake 1985; for GANs White 2016). Both walks show a
# cat at every step, and that is the first great surprise of this space: **there are pictures between the pictures**. No one
# trained the middle. In the straight line's middle the cats become more ordinary, since those points lie nearer to the
# centre. Keep that in mind; at the end we will do it on purpose.
#
# ## Sums
#
# Radford and his colleagues (2016) calculated with faces: *man with glasses − man + woman = woman with glasses*. Not with single
# pictures, which are too moody, but with the mean of a few. This small model of avatars knows who wears glasses:

# %% [markdown] lang="pt"
# Em cima a linha reta (*lerp*), embaixo o arco sobre a casca (*slerp*, Shoemake 1985; em GANs, White 2016). Os dois passeios
# mostram um gato a cada passo, e essa é a primeira grande surpresa deste espaço: **há imagens entre as imagens**. O meio, ninguém
# treinou. No meio da linha reta os gatos ficam mais comuns, pois esses pontos estão mais perto do centro. Guarde isso; no fim
# vamos fazê-lo de propósito.
#
# ## Somas
#
# Radford e seus colegas (2016) fizeram contas com rostos: *homem de óculos − homem + mulher = mulher de óculos*. Não com imagens
# isoladas, temperamentais demais, mas com a média de algumas. Este pequeno modelo de avatares sabe quem usa óculos:

# %%
avatars = GANPipeline.from_pretrained("stylegan2-avatars-32", discriminator=None)
glasses = avatars.concepts["glasses"]
groups = {
    "A": avatars.sample_latents(glasses.with_it[:6]),
    "B": avatars.sample_latents(glasses.without_it[:6]),
    "C": avatars.sample_latents(glasses.without_it[6:8]),
}
show([image for group in groups.values() for image in avatars(latents=group).images], 14)

result = arithmetic(groups["A"], groups["B"], groups["C"])  # mean(A) - mean(B) + mean(C)
means = [group.mean(0) for group in groups.values()]
show(avatars(latents=torch.stack([*means, result])).images, 4)

# %% [markdown] lang="en"
# In the second row: the mean of A (with), of B (without), of C (without, somebody else), and A − B + C. What A and B have in
# common cancels, what they differ in remains, and is added to C.
#
# It does not always work. Of 200 such sums with this model only about a third ends in glasses: the cards of the models say
# how often, since one picture in a paper proves nothing.
#
# ## A direction that has a name
#
# A − B alone, without a C, is a *direction*. Add a little of it, or a lot, or take it away. Nobody has to pick the exemplars by
# hand if something can measure a picture. Here, the light:

# %% [markdown] lang="pt"
# Na segunda fileira: a média de A (com), de B (sem), de C (sem, outra pessoa), e A − B + C. O que A e B têm em comum se cancela,
# aquilo em que diferem fica e é somado a C.
#
# Nem sempre dá certo. De 200 somas assim com este modelo, só cerca de um terço termina em óculos: as fichas dos modelos dizem
# quantas, pois uma figura num artigo não prova nada.
#
# ## Uma direção que tem nome
#
# A − B sozinho, sem C, é uma *direção*. Some um pouco dela, ou muito, ou subtraia. E ninguém precisa escolher os exemplos à mão se
# algo sabe medir uma imagem. Aqui, a luz:

# %%
seeds = range(400)
latents = cats.sample_latents(seeds)
light = cats(seeds=seeds, output_type="pt").images.mean(dim=(1, 2, 3))
order = light.argsort()
direction = latents[order[-80:]].mean(0) - latents[order[:80]].mean(0)  # the brightest fifth minus the darkest

fresh = cats.sample_latents([1000, 1001, 1002])  # that had no part in it
strengths = torch.linspace(-2, 2, 9)
moved = torch.stack([one + s * direction for one in fresh for s in strengths])
pictures = cats(latents=moved, output_type="pt").images
show(cats(latents=moved).images, 9)
plt.plot(strengths, pictures.mean(dim=(1, 2, 3)).reshape(3, 9).T, "o-")
plt.xlabel("$s$")
plt.show()

# %% [markdown] lang="en"
# Four hundred pictures, one measure, one subtraction: that is a *concept*, and `gan-hub concepts` finds them so. The three
# lines rise although these cats had no part in the finding. Look at the cats, too: with the light other things change that
# go together with light in the photographs, background and fur. A direction knows only what the data let it tell apart.
#
# ## A second space
#
# StyleGAN (Karras et al. 2019) first sends $z$ through a small network, to a $w$, and hands $w$ to every layer on its own. In $w$
# nobody forces the points onto a shell, and the layers may disagree:

# %% [markdown] lang="pt"
# Quatrocentas imagens, uma medida, uma subtração: isso é um *conceito*, e é assim que `gan-hub concepts` os encontra. As três
# linhas sobem, embora estes gatos não tenham participado da busca. Mas olhe também os gatos: com a luz mudam outras coisas que nas
# fotografias andam junto com ela, o fundo e o pelo. Uma direção só sabe o que os dados a deixam separar.
#
# ## Um segundo espaço
#
# A StyleGAN (Karras et al. 2019) primeiro faz $z$ passar por uma pequena rede, que dá um $w$, e entrega $w$ a cada camada em
# separado. Em $w$ ninguém obriga os pontos a ficar numa casca, e as camadas podem discordar:

# %%
styled = GANPipeline.from_pretrained("stylegan2-cats-64", discriminator=None)
shape_of = styled.map(styled.sample_latents([3, 8, 21]))  # (N, rows, W): a w for each layer
color_of = styled.map(styled.sample_latents([5, 40, 11]))
print("w:", tuple(shape_of.shape))
rows = [styled.synthesize(shape_of), styled.synthesize(color_of)]
rows += [styled.synthesize(mix_styles(shape_of, color_of, crossover)) for crossover in (2, 4, 6)]
show([row[column] for column in range(3) for row in rows], 5)

# %% [markdown] lang="en"
# From left to right: one cat, another, and three mixtures that take the first 2, 4 or 6 layers from the one and the rest from
# the other. Early layers decide where the head is, late ones what colour it has.
#
# ## The price of beauty
#
# Points near the centre give ordinary pictures, and ordinary pictures have fewer faults. So one pulls every point towards the
# mean, by a factor $\psi$: $w' = \bar w + \psi\,(w - \bar w)$. That is called *truncation*. The most beautiful pictures of many a
# paper are drawn so.

# %% [markdown] lang="pt"
# Da esquerda para a direita: um gato, outro, e três misturas que tomam as primeiras 2, 4 ou 6 camadas de um e o resto do outro.
# As primeiras camadas decidem onde está a cabeça, as últimas de que cor ela é.
#
# ## O preço da beleza
#
# Pontos perto do centro dão imagens comuns, e imagens comuns têm menos defeitos. Então puxa-se cada ponto na direção da média,
# por um fator $\psi$: $w' = \bar w + \psi\,(w - \bar w)$. Isso se chama *truncamento*. As imagens mais bonitas de muito artigo são
# feitas assim.

# %%
for psi in (1.0, 0.7, 0.4, 0.0):
    show(styled(seeds=range(8), truncation=psi).images)

# %% [markdown] lang="en"
# The last row is one single cat, eight times: the mean cat. Whoever shows you beautiful samples has to tell you their $\psi$.
#
# **On the page.** Say `gan-hub demo` in a terminal, and do all of it by hand: in the tab *Interpolate*
# [walk from cat to cat](http://127.0.0.1:7860/?tab=interpolate&model=r3gan-cats-64&seeds=2,6,7), in *Arithmetic*
# [give somebody glasses](http://127.0.0.1:7860/?tab=arithmetic&model=stylegan2-avatars-32&preset=glasses), in *Explore*
# [move over a plane of cats](http://127.0.0.1:7860/?tab=explore&model=stylegan2-cats-64), and in *Your image*
# [look for the latent of a picture](http://127.0.0.1:7860/?tab=yours&model=stylegan2-avatars-32).
#
# ## Exercises
#
# 1. Walk from seed 2 to seed 6 and on to 7, in twelve steps, with `gan_hub.latents.interpolate`. Then walk in $w$ with
#    `styled.map`, `lerp` and `styled.synthesize`: there the straight line is right. Why?
# 2. Find a direction for the warmth of the colours (mean red minus mean blue) as we did for the light. Does it change the
#    light?
# 3. Make eight sums with a single exemplar in each of A, B and C (`glasses.with_it` and `without_it` have eight each). How many
#    of the eight wear glasses?
#
# **A question.** How much variety does $\psi$ cost? Guess first: with $\psi = 0.5$, how different are two random cats, compared
# with $\psi = 1$: half, less, or more? The next cell takes the mean difference of the pixels between random pairs.

# %% [markdown] lang="pt"
# A última fileira é um único gato, oito vezes: o gato médio. Quem lhe mostra amostras bonitas tem que lhe dizer o seu $\psi$.
#
# **Na página.** Digite `gan-hub demo` num terminal e faça tudo com as próprias mãos: na aba *Interpolar*
# [passeie de gato em gato](http://127.0.0.1:7860/?tab=interpolate&model=r3gan-cats-64&seeds=2,6,7), em *Calcular*
# [dê óculos a alguém](http://127.0.0.1:7860/?tab=arithmetic&model=stylegan2-avatars-32&preset=glasses), em *Explorar*
# [mova-se sobre um plano de gatos](http://127.0.0.1:7860/?tab=explore&model=stylegan2-cats-64), e em *Sua imagem*
# [procure o latente de uma imagem](http://127.0.0.1:7860/?tab=yours&model=stylegan2-avatars-32).
#
# ## Exercícios
#
# 1. Passeie da semente 2 à 6 e de lá à 7, em doze passos, com `gan_hub.latents.interpolate`. Depois passeie em $w$, com
#    `styled.map`, `lerp` e `styled.synthesize`: lá a linha reta é a certa. Por quê?
# 2. Encontre uma direção para o calor das cores (vermelho médio menos azul médio), como fizemos com a luz. Ela muda a
#    luz?
# 3. Faça oito somas com um só exemplo em A, em B e em C (`glasses.with_it` e `without_it` têm oito cada). Quantas das oito
#    usam óculos?
#
# **Uma pergunta.** Quanta variedade custa o $\psi$? Primeiro dê um palpite: com $\psi = 0{,}5$, quão diferentes são dois gatos
# quaisquer, comparados com $\psi = 1$: metade, menos, ou mais? A próxima célula toma a diferença média dos pixels entre pares ao
# acaso.

# %%
for psi in (1.0, 0.75, 0.5, 0.25):
    drawn = styled(seeds=range(64), truncation=psi, output_type="pt").images
    difference = (drawn[:32] - drawn[32:]).abs().mean().item() / 2  # of white minus black
    print(f"psi = {psi:4}: {100 * difference:5.1f} %")

# %% [markdown] lang="en"
# Less than one would think: at half the $\psi$ three quarters of the difference are still there, since $w$ is bent before it
# becomes a picture. Half the beauty of a truncated gallery is what it leaves out; lesson 7 measures both sides at once, as
# *precision* and *recall*.

# %% [markdown] lang="pt"
# Menos do que parece: com metade do $\psi$, três quartos da diferença ainda estão lá, pois $w$ se entorta antes de virar imagem.
# Metade da beleza de uma galeria truncada é aquilo que ela deixa de fora; a aula 7 mede os dois lados de uma vez, como *precisão*
# e *revocação*.
