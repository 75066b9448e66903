# %% [markdown] lang="en"
# # 7. What is a GAN worth?
#
# *A distance between two piles of pictures; what it sees and what it is blind to; precision and recall; copies; judges; and
# why one training proves nothing.*
#
# The losses do not say how good a generator is (lesson 2), and neither does a beautiful gallery (lesson 6). So we need a
# measure, and then some distrust of the measure.
#
# For this lesson the data are faces that a program draws, as many as we like and every one different. That is a luxury: with
# photographs one never has a second, fresh pile to compare with.

# %% [markdown] lang="pt"
# # 7. Quanto vale uma GAN?
#
# *Uma distância entre dois montes de imagens; o que ela vê e a que é cega; precisão e revocação; cópias; juízes; e por
# que um único treino não prova nada.*
#
# As perdas não dizem o quanto um gerador é bom (aula 2), e uma galeria bonita também não (aula 6). Então precisamos de uma
# medida, e depois de alguma desconfiança dela.
#
# Nesta aula os dados são rostos que um programa desenha, quantos quisermos e todos diferentes. É um luxo: com fotografias
# nunca se tem um segundo monte, novinho, com que comparar.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from gan_hub import GANPipeline, losses
from gan_hub.data.avatars.drawing import draw
from gan_hub.images import from_uint8, grid, to_pil
from gan_hub.metrics import frechet_distance, kid, load_extractor, moments, precision_recall
from gan_hub.metrics.neighbours import memorization

torch.manual_seed(0)
plt.rcParams["figure.figsize"] = (7, 2.6)


def faces(first, count):
    """`count` drawn faces as a tensor (N, 3, 64, 64) in [-1, 1]."""
    return from_uint8(np.stack([np.asarray(draw(2026, first + index)[0]) for index in range(count)]))


def show(images, columns=12):
    sheet = grid(to_pil(images), columns)
    plt.figure(figsize=(7, 7 * sheet.height / sheet.width), dpi=56)
    plt.imshow(sheet, interpolation="nearest")
    plt.axis("off")
    plt.show()


model = GANPipeline.from_pretrained("r3gan-avatars-64")
real, fresh = faces(0, 600), faces(10_000, 600)  # two piles that have no face in common
fake = model(seeds=range(600), output_type="pt").images
show(torch.cat([real[:12], fake[:12]]))

# %% [markdown] lang="en"
# Above real ones, below generated ones. You see the difference at once. But how large is it, in numbers?
#
# ## A distance between piles
#
# Take a simpler case: two piles of *numbers*, both normally distributed. What would a sensible distance be? The means may differ,
# and the widths. The Fréchet distance (Dowson and Landau 1982) is the sum of both:
#
# $$d^2 = (\mu_1 - \mu_2)^2 + (\sigma_1 - \sigma_2)^2$$

# %% [markdown] lang="pt"
# Em cima as reais, embaixo as geradas. Você vê a diferença na hora. Mas de que tamanho ela é, em números?
#
# ## Uma distância entre montes
#
# Comece por um caso mais simples: dois montes de *números*, ambos com distribuição normal. Qual seria uma distância sensata? As
# médias podem diferir, e as larguras também. A distância de Fréchet (Dowson e Landau 1982) é a soma das duas coisas:
#
# $$d^2 = (\mu_1 - \mu_2)^2 + (\sigma_1 - \sigma_2)^2$$

# %%
one = torch.randn(20_000, 1)
for shift, width in ((0, 1), (1, 1), (0, 3), (2, 2)):
    other = torch.randn(20_000, 1) * width + shift
    measured = frechet_distance(moments(one), moments(other))
    print(f"mu = {shift}, sigma = {width}:  {measured:5.2f}   formula {shift**2 + (1 - width) ** 2}")

# %% [markdown] lang="en"
# For pictures the same is done with *features*: a network that was trained to recognise a thousand things turns each picture
# into a list of 1,280 numbers, and the two clouds of lists are compared by means and covariances (Heusel et al. 2017). With
# the Inception network it is called FID. Here it is MobileNetV2, which comes with the package; so the number is called
# FD-mobilenet-v2, and may be compared with no FID in the world.

# %% [markdown] lang="pt"
# Com imagens faz-se o mesmo com *características*: uma rede treinada para reconhecer mil coisas transforma cada imagem numa
# lista de 1.280 números, e as duas nuvens de listas são comparadas por médias e covariâncias (Heusel et al. 2017). Com a rede
# Inception, chama-se FID. Aqui é a MobileNetV2, que vem com o pacote; por isso o número se chama FD-mobilenet-v2, e não pode ser
# comparado com FID nenhuma deste mundo.

# %%
eye = load_extractor("mobilenet-v2")
of_real, of_fresh, of_fake = (eye.features(images) for images in (real, fresh, fake))


def distance(features):
    return frechet_distance(moments(of_real[: len(features)]), moments(features))  # as many of each


noise = torch.rand(600, 3, 64, 64) * 2 - 1
print(f"other real faces  {distance(of_fresh):7.0f}")
print(f"generated faces   {distance(of_fake):7.0f}")
print(f"noise             {distance(eye.features(noise)):7.0f}")

# %% [markdown] lang="en"
# Two ends of a scale: other real faces on one, noise on the other, our model somewhere between. A number without these two
# neighbours says nothing.
#
# ## What it sees
#
# Spoil real faces in four ways, a little and then more: blur them, make them darker, add noise, or leave out kinds, so
# that at last only a tenth of the faces appears, again and again.

# %% [markdown] lang="pt"
# Duas pontas de uma escala: de um lado outros rostos reais, do outro ruído, e o nosso modelo em algum ponto no meio. Um número
# sem esses dois vizinhos não diz nada.
#
# ## O que ela vê
#
# Estrague rostos reais de quatro jeitos, um pouco e depois mais: borre, escureça, acrescente ruído, ou deixe tipos de fora, até
# que só um décimo dos rostos apareça, de novo e de novo.


# %%
def blurred(images, amount):
    small = nn.functional.avg_pool2d(images, 2)
    soft = nn.functional.interpolate(small, scale_factor=2, mode="bilinear")
    return (1 - amount) * images + amount * soft


spoilt = {
    "blur": lambda x, amount: blurred(x, amount),
    "dark": lambda x, amount: (1 - 0.5 * amount) * (x + 1) - 1,
    "noise": lambda x, amount: (x + 0.3 * amount * torch.randn_like(x)).clamp(-1, 1),
    "few": lambda x, amount: x[torch.arange(len(x)) % max(1, int(len(x) * (1 - 0.9 * amount)))],
}
amounts = (0.0, 0.4, 1.0)
show(
    torch.cat(
        [
            torch.stack([change(fresh[:4], amount)[number] for amount in amounts for number in range(4)])
            for change in spoilt.values()
        ]
    )
)
for name, change in spoilt.items():
    plt.plot(amounts, [distance(eye.features(change(fresh[:300], amount))) for amount in amounts], "o-", label=name)
plt.axhline(distance(of_fake[:300]), color="grey", ls="--")
plt.legend()
plt.show()

# %% [markdown] lang="en"
# It sees all four. It even sees the last one, *few*, where every single face is perfect: the pile as a whole is too poor. The dashed
# line is our model. And it has tastes: a little noise, which you hardly notice, costs more than a blur that spoils
# the face. A network's eyes are not yours.
#
# ## What the number of pictures does
#
# Now the trap that most papers of the first years fell into.

# %% [markdown] lang="pt"
# Ela vê os quatro. Vê até o último, *few* (poucos), em que cada rosto é perfeito: o monte como um todo é que é pobre. A linha
# tracejada é o nosso modelo. E ela tem gostos: um pouco de ruído, que você mal nota, custa mais do que um borrão que estraga o
# rosto. Os olhos de uma rede não são os seus.
#
# ## O que faz o número de imagens
#
# Agora a armadilha em que caiu a maioria dos artigos dos primeiros anos.

# %%
counts = (40, 80, 150, 300, 600)
for name, features in {"real": of_fresh, "fake": of_fake}.items():
    values = [frechet_distance(moments(of_real[:n]), moments(features[:n])) for n in counts]
    kernel = [1000 * kid(of_real[:n], features[:n], subsets=20, size=n) for n in counts]
    print(f"{name}:  FD ", *(f"{value:7.0f}" for value in values))
    print("     KID ", *(f"{value:7.1f}" for value in kernel))

# %% [markdown] lang="en"
# From left to right 40, 80, 150, 300 and 600 pictures. The first line compares real faces with real faces, which is 0 in
# truth: the Fréchet distance of few pictures is far too large, and shrinks the more one takes. **An FD of 5,000 pictures and an
# FD of 50,000 are two different rulers.** The kernel distance (KID, Bińkowski et al. 2018), the MMD of lesson 1 on features, has no
# such bias: printed here a thousandfold, it is near 0 from the beginning, and only trembles more with few pictures.
#
# ## Two ways to be bad
#
# One number cannot say *how* a model is bad. A generator may draw ugly faces of every kind, or a single beautiful one. Precision
# asks: how many of the generated lie among the real? Recall: how many of the real lie among the generated? (Kynkäänniemi
# et al. 2019.) Try it on the spoilt piles first, where we know what was done:

# %% [markdown] lang="pt"
# Da esquerda para a direita, 40, 80, 150, 300 e 600 imagens. A primeira linha compara rostos reais com rostos reais, o que na
# verdade é 0: a distância de Fréchet de poucas imagens é grande demais, e encolhe quanto mais se tomam. **Uma FD de 5.000 imagens e
# uma FD de 50.000 são duas réguas diferentes.** A distância de núcleo (KID, Bińkowski et al. 2018), a MMD da aula 1 sobre
# características, não tem esse viés: aqui, multiplicada por 1.000, ela fica perto de 0 desde o começo, e com poucas imagens só treme mais.
#
# ## Dois jeitos de ser ruim
#
# Um número só não diz *como* um modelo é ruim. Um gerador pode desenhar rostos feios de todo tipo, ou um único rosto bonito. A
# precisão pergunta: quantas das geradas ficam entre as reais? A revocação (*recall*): quantas das reais ficam entre as geradas?
# (Kynkäänniemi et al. 2019.) Experimente primeiro com os montes estragados, em que sabemos o que foi feito:

# %%
piles = {"other real faces": of_fresh[:300]}
piles |= {name: eye.features(change(fresh[:300], 0.4)) for name, change in spoilt.items() if name != "few"}
piles |= {"few": eye.features(spoilt["few"](fresh[:300], 1.0)), "generated": of_fake[:300]}
for name, features in piles.items():
    lies = precision_recall(of_real[:300], features)
    precision, recall = lies.precision.float().mean(), lies.recall.float().mean()
    print(f"{name:17} precision {precision:.2f}   recall {recall:.2f}   FD {distance(features):5.0f}")

# %% [markdown] lang="en"
# *few* is the line to look at: nearly every face is right, and the real ones have nothing near them. *blur* is the opposite: all kinds
# are there, and a third of them look wrong. With *noise* both fall, and so they do for our model: at 64 pixels a network's eye still
# sees its smudges everywhere. Truncation, from lesson 6, trades one side for the other.
#
# ## Copies
#
# A thief would win every measure so far: whoever returns the training pictures has distance 0, precision 1 and recall 1. So one
# asks a third question: how near do the generated pictures come to the *training* set, compared with real pictures that were
# not trained on?

# %% [markdown] lang="pt"
# *few* é a linha que importa: quase todo rosto está certo, e os reais não têm nada por perto. *blur* é o contrário: todos os tipos
# estão lá, e um terço deles parece errado. Com *noise* caem as duas, e com o nosso modelo também: em 64 pixels o olho de uma rede
# ainda vê os borrões dele em toda parte. O truncamento, da aula 6, troca um lado pelo outro.
#
# ## Cópias
#
# Um ladrão ganharia todas as medidas até aqui: quem devolve as imagens de treino tem distância 0, precisão 1 e revocação 1. Então
# se faz uma terceira pergunta: a que distância do conjunto de *treino* ficam as imagens geradas, comparadas com imagens reais em
# que não se treinou?

# %%
thief = real[torch.arange(600) % 300].roll(
    1, dims=3
)  # half the training set, shifted by a pixel so that nobody notices
for name, features in {"model": of_fake, "thief": eye.features(thief)}.items():
    found = memorization(features, of_real, of_fresh, share=0.01)
    print(f"{name}:  FD {distance(features):4.0f}   nearer than 99 % of the unseen: {found.copied.float().mean():.1%}")

# %% [markdown] lang="en"
# The thief has the best distance of all, and is caught. (Here the first 600 faces stand for the training set.) In the cards
# of the zoo this test stands beside every distance, with the nearest training pictures to look at.
#
# ## Are GANs created equal?
#
# In 2018 Lucic and colleagues compared the famous losses, each with many random starts and the same effort, and found that they
# hardly differ: what had looked like progress was often luck and tuning. We do it in miniature: a ring of eight points, four
# losses, six starts each.

# %% [markdown] lang="pt"
# O ladrão tem a melhor distância de todas, e é pego. (Aqui os primeiros 600 rostos fazem as vezes do conjunto de treino.) Nas
# fichas do zoológico este teste fica ao lado de cada distância, com as imagens de treino mais próximas para você olhar.
#
# ## As GANs são todas iguais?
#
# Em 2018 Lucic e colegas compararam as perdas famosas, cada uma com muitos começos ao acaso e o mesmo esforço, e acharam que elas
# mal diferem: o que parecia progresso era, muitas vezes, sorte e ajuste. Façamos isso em miniatura: um anel de oito pontos, quatro
# perdas, seis começos de cada.


# %%
def ring(count):
    angle = torch.randint(8, (count,)) * (2 * torch.pi / 8)
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(count, 2)


def train(loss_of_d, loss_of_g, seed, rounds=600):
    torch.manual_seed(seed)
    G, D = (
        nn.Sequential(nn.Linear(size, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, out))
        for size, out in ((4, 2), (2, 1))
    )
    adam_g, adam_d = (torch.optim.Adam(net.parameters(), lr, betas=(0.5, 0.99)) for net, lr in ((G, 1e-3), (D, 3e-3)))
    for _ in range(rounds):
        step = loss_of_d(D(ring(128)), D(G(torch.randn(128, 4)).detach()))
        adam_d.zero_grad()
        step.backward()
        adam_d.step()
        step = loss_of_g(D(G(torch.randn(128, 4))))
        adam_g.zero_grad()
        step.backward()
        adam_g.step()
    with torch.no_grad():
        return frechet_distance(moments(ring(2000)), moments(G(torch.randn(2000, 4))))


games = {
    "minimax": (losses.non_saturating_discriminator, losses.minimax_generator),
    "non-saturating": (losses.non_saturating_discriminator, losses.non_saturating_generator),
    "least squares": (losses.least_squares_discriminator, losses.least_squares_generator),
    "hinge": (losses.hinge_discriminator, losses.wasserstein_generator),
}
results = {name: torch.tensor([train(*game, seed) for seed in range(6)]) for name, game in games.items()}
for place, values in enumerate(results.values()):
    plt.plot(values, [place] * len(values), "o", alpha=0.6)
plt.yticks(range(len(results)), results)
plt.xlabel("$d^2$")
plt.show()

# %% [markdown] lang="en"
# Each dot is one whole training. The dots of one row lie as far apart as the rows do, although only the seed differs. Whoever
# shows one dot per loss can prove whatever he likes. (The larger study, with pictures and its statistics, is in
# [Are GANs created equal?](../../created-equal.md); all scores are explained in [the page on metrics](../../metrics.md).)
#
# **On the page.** Say `gan-hub demo` in a terminal. In the tab *Real or fake?*
# [you are the measure](http://127.0.0.1:7860/?tab=game&model=r3gan-cats-64): play a dozen rounds, and compare your own accuracy with the judge's.
#
# ## Exercises
#
# 1. Leave out all faces with glasses from `fresh` (the second result of `draw` are the attributes). How much does FD grow, and
#    which of precision and recall falls?
# 2. Is the model's discriminator a good judge? Compare `model.discriminate(fresh)` with `model.discriminate(fake)`: in how
#    many of all pairs does the real one get the larger number?
# 3. Give every loss twice as many rounds. Do the rows come together?
#
# **A question.** Take the two losses whose means lie farthest apart. If you had made only *one* training of each, how often would
# the worse one have won? Guess, and let the next cell count over all pairs of dots.

# %% [markdown] lang="pt"
# Cada ponto é um treino inteiro. Os pontos de uma mesma linha ficam tão longe uns dos outros quanto as linhas entre si, embora só
# mude a semente. Quem mostra um ponto por perda prova o que quiser. (O estudo maior, com imagens e a sua estatística, está em
# [Are GANs created equal?](../../created-equal.md); todas as medidas são explicadas na [página sobre métricas](../../metrics.md).)
#
# **Na página.** Digite `gan-hub demo` num terminal. Na aba *Real ou falsa?*
# [a medida é você](http://127.0.0.1:7860/?tab=game&model=r3gan-cats-64): jogue uma dúzia de rodadas e compare os seus acertos com os do juiz.
#
# ## Exercícios
#
# 1. Tire de `fresh` todos os rostos de óculos (o segundo resultado de `draw` são os atributos). Quanto cresce a FD, e
#    qual das duas cai, a precisão ou a revocação?
# 2. O discriminador do modelo é um bom juiz? Compare `model.discriminate(fresh)` com `model.discriminate(fake)`: em quantos de
#    todos os pares a real recebe o número maior?
# 3. Dê a cada perda o dobro de rodadas. As linhas se aproximam?
#
# **Uma pergunta.** Tome as duas perdas cujas médias ficam mais distantes. Se você tivesse feito *um só* treino de cada, com que
# frequência a pior teria ganhado? Dê um palpite, e deixe a próxima célula contar sobre todos os pares de pontos.

# %%
best = min(results, key=lambda name: results[name].mean())
worst = max(results, key=lambda name: results[name].mean())
upset = (results[worst][:, None] < results[best][None]).float().mean()
print(f"best on average: {best}, worst: {worst}; in one training of each the worst wins {upset:.0%} of the time")

# %% [markdown] lang="en"
# Remember this percentage whenever a table shows one number per method and no spread beside it.

# %% [markdown] lang="pt"
# Lembre-se dessa porcentagem sempre que uma tabela mostrar um número por método e nenhuma dispersão ao lado.
