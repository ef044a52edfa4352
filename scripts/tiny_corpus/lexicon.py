"""The nouns and adjectives of the embedded corpus, with the semantic classes that decide which words go together."""

from __future__ import annotations

from typing import NamedTuple


class Noun(NamedTuple):
    """A noun or a name; `tags` are the semantic classes by which verbs and adjectives choose it."""

    singular: str
    plural: str
    french: str
    french_plural: str
    feminine: bool
    tags: frozenset[str]

    def forms(self) -> list[str]:
        """Every English form, possessive included."""
        return [self.singular, self.plural, f"{self.singular}'s"]


class Adjective(NamedTuple):
    """An adjective; `before` says where French puts it, `vowel` is the masculine form before a vowel (bel, vieil)."""

    english: str
    comparative: str
    masculine: str
    feminine: str
    vowel: str
    before: bool
    tags: frozenset[str]

    def forms(self) -> list[str]:
        """Every English form."""
        return [self.english, *([self.comparative] if self.comparative else [])]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _english_plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"


def _french_plural(noun: str) -> str:
    if noun.endswith(("s", "x", "z")):
        return noun
    return noun + "x" if noun.endswith("eau") else noun + "s"


# English[/plural] | French[/plural] | gender | tags
_NOUNS = """
man/men | homme | m | person adult nation old young rich
woman/women | femme | f | person adult nation old young lovely rich
boy | garçon | m | person child small young curious
girl | fille | f | person child small young pretty curious
child/children | enfant | m | person child curious owned
baby | bébé | m | infant small owned
student | étudiant | m | person role nation young bright owned
teacher | professeur | m | person role nation old young good new bright owned
doctor | médecin | m | person role nation old young good new famous owned
nurse | infirmière | f | person role young good new
baker | boulanger | m | person role old good new
farmer | fermier | m | person role old young rich
actress | actrice | f | person role nation young lovely famous rich
writer | écrivain | m | person role nation old young famous
painter | peintre | m | person role nation old young famous
tourist | touriste | m | person nation rich young
hero/heroes | héros | m | person old young famous
queen | reine | f | person old young lovely rich
friend | ami | m | person known old new good nation owned
neighbour | voisin | m | person known old new rich curious owned
mother | mère | f | person kin unique owned
father | père | m | person kin unique owned
brother | frère | m | person kin small owned
sister | sœur | f | person kin small owned
uncle | oncle | m | person kin old rich owned
aunt | tante | f | person kin old rich owned
dog | chien | m | animal pet hunter sized old fat furred bright lovely owned
cat | chat | m | animal pet hunter small old fat furred curious lovely owned
rabbit | lapin | m | animal pet grazer prey small fat furred owned
bird | oiseau | m | animal prey flying sized lovely coloured owned
horse | cheval/chevaux | m | animal grazer sized old furred lovely owned
cow | vache | f | animal grazer small old fat furred owned
mouse/mice | souris | f | animal prey small furred
duck | canard | m | animal prey flying small fat furred
owl | hibou/hiboux | m | animal flying sized old furred
bear | ours | m | animal hunter sized old fat furred
wolf/wolves | loup | m | animal hunter sized old furred
apple | pomme | f | food fruit tasty small red green yellow owned
pear | poire | f | food fruit tasty small green yellow owned
orange | orange | f | food fruit tasty small owned
strawberry | fraise | f | food fruit tasty
carrot | carotte | f | food fruit small
tomato/tomatoes | tomate | f | food fruit tasty small red green
egg | œuf | m | food small white brown fresh
cake | gâteau | m | food tasty sized owned
sandwich | sandwich | m | food tasty sized owned
bread | pain | m | mass edible tasty fresh white
cheese | fromage | m | mass edible tasty nation
meat | viande | f | mass edible tasty fresh
soup | soupe | f | mass edible tasty warm
rice | riz | m | mass edible white
salad | salade | f | mass edible tasty fresh green
honey | miel | m | mass edible tasty
chocolate | chocolat | m | mass edible tasty
grass | herbe | f | mass green fresh
water | eau | f | mass drink warm
milk | lait | m | mass drink warm fresh
coffee | café | m | mass drink warm tasty
tea | thé | m | mass drink warm green tasty
wine | vin | m | mass drink tasty nation white red
music | musique | f | mass
book | livre | m | text goods portable heavy new old good interesting nation owned
letter | lettre | f | text portable long interesting owned
newspaper | journal/journaux | m | text goods portable old nation interesting owned
story | histoire | f | tale long sad interesting good lovely owned
poem | poème | m | text tale long sad lovely owned
song | chanson | f | tale long sad lovely pretty new nation good owned
film | film | m | long sad interesting good new old nation
photo | photo | f | portable old lovely owned
hat | chapeau | m | clothing goods portable sized coloured old new pretty priced owned
dress | robe | f | clothing goods sized coloured old new pretty lovely long priced washable owned
shirt | chemise | f | clothing goods sized coloured old new priced washable owned
coat | manteau | m | clothing goods portable sized coloured old new priced washable owned
skirt | jupe | f | clothing goods sized coloured new pretty long washable owned
key | clé | f | portable sized new old owned
bag | sac | m | goods portable sized coloured heavy empty old new priced washable owned
box | boîte | f | sized coloured heavy empty old pretty owned
ball | ballon | m | goods portable sized coloured new old owned
umbrella | parapluie | m | goods portable sized coloured new old owned
lamp | lampe | f | goods sized coloured new old pretty owned
cup | tasse | f | goods sized coloured empty pretty washable owned
clock | horloge | f | goods sized old priced lovely owned
gift | cadeau | m | goods portable small lovely heavy owned
flower | fleur | f | goods sized coloured lovely pretty
chair | chaise | f | goods furniture sized coloured old new heavy owned
table | table | f | goods furniture sized old new heavy owned
car | voiture | f | goods vehicle sized coloured old new lovely priced washable nation owned
bicycle | vélo | m | goods vehicle sized coloured old new priced owned
boat | bateau | m | vehicle sized coloured old new lovely owned
piano | piano | m | instrument goods old new priced heavy owned
violin | violon | m | instrument goods old new priced owned
guitar | guitare | f | instrument goods old new priced owned
door | porte | f | sized coloured old new
window | fenêtre | f | sized washable
tree | arbre | m | fixed sized old lovely green
house | maison | f | building inside sized coloured old new lovely pretty empty priced modern owned
kitchen | cuisine | f | inside sized new modern owned
garden | jardin | m | inside outdoors sized lovely pretty quiet owned
park | parc | m | inside outdoors aim sized lovely quiet new
street | rue | f | inside long quiet empty ours
forest | forêt | f | inside outdoors sized lovely quiet
village | village | m | inside town sized old lovely pretty quiet ours
city | ville | f | inside town sized old lovely modern interesting ours
school | école | f | building aim workplace sized old new modern owned
market | marché | m | aim sized
shop | magasin | m | fixed building inside workplace sized new
hospital | hôpital/hôpitaux | m | building aim workplace sized old new modern
station | gare | f | aim sized old new modern
beach | plage | f | aim outdoors lovely quiet long
church | église | f | building inside aim sized old lovely quiet
museum | musée | m | building aim workplace interesting new modern famous
library | bibliothèque | f | building inside aim workplace sized old new modern quiet
hotel | hôtel | m | building inside aim workplace sized old new modern quiet famous priced
restaurant | restaurant | m | building aim workplace sized good new nation famous priced
farm | ferme | f | building workplace sized old lovely owned
"""

# name | gender; the same in both languages
_NAMES = "Paul m, Luc m, Thomas m, Arthur m, Marie f, Sophie f, Anna f, Alice f"

# English[/comparative] | masculine | feminine[/form before a vowel] | before or after the noun | tags
_ADJECTIVES = """
small/smaller | petit | petite | before | small sized
big/bigger | grand | grande | before | sized
old/older | vieux | vieille/vieil | before | old
young/younger | jeune | jeune | before | young
beautiful | beau | belle/bel | before | lovely
pretty | joli | jolie | before | pretty
new | nouveau | nouvelle/nouvel | before | new
good | bon | bonne | before | good tasty
fat/fatter | gros | grosse | before | fat
long/longer | long | longue | before | long
black | noir | noire | after | coloured furred
white | blanc | blanche | after | coloured furred white
red | rouge | rouge | after | coloured red
green | vert | verte | after | coloured green
blue | bleu | bleue | after | coloured
yellow | jaune | jaune | after | coloured yellow
grey | gris | grise | after | coloured furred
brown | brun | brune | after | furred brown
French | français | française | after | nation
English | anglais | anglaise | after | nation
Italian | italien | italienne | after | nation
tired | fatigué | fatiguée | after | person pet horse
sick | malade | malade | after | person pet horse cow infant
happy | heureux | heureuse | after | person infant
sad | triste | triste | after | person sad
kind | gentil | gentille | before | person
rich/richer | riche | riche | after | rich
famous | célèbre | célèbre | after | famous
intelligent | intelligent | intelligente | after | bright role child
curious | curieux | curieuse | after | curious
hot | chaud | chaude | after | warm
cold | froid | froide | after | warm
heavy/heavier | lourd | lourde | after | heavy
expensive | cher | chère | after | priced
empty | vide | vide | after | empty
dirty | sale | sale | after | washable
clean | propre | propre | after | washable
modern | moderne | moderne | after | modern
quiet/quieter | calme | calme | after | quiet
interesting | intéressant | intéressante | after | interesting
delicious | délicieux | délicieuse | after | tasty
fresh | frais | fraîche | after | fresh fruit
"""

# Colours and nations stand after an adjective that comes before the noun: "the small black cat".
STACKING = _words("black white red green blue yellow grey brown French English Italian")


def _noun(line: str) -> Noun:
    english, french, gender, tags = (part.strip() for part in line.split("|"))
    singular, _, plural = english.partition("/")
    french, _, french_plural = french.partition("/")
    return Noun(
        singular,
        plural or _english_plural(singular),
        french,
        french_plural or _french_plural(french),
        gender == "f",
        _words(tags),
    )


def _name(text: str) -> Noun:
    name, gender = text.split()
    return Noun(name, name, name, name, gender == "f", frozenset({"name", "person"}))


def _adjective(line: str) -> Adjective:
    english, masculine, feminine, place, tags = (part.strip() for part in line.split("|"))
    english, _, comparative = english.partition("/")
    feminine, _, vowel = feminine.partition("/")
    return Adjective(english, comparative, masculine, feminine, vowel or masculine, place == "before", _words(tags))


NOUNS = {noun.singular: noun for noun in map(_noun, _NOUNS.strip().splitlines())}
NAMES = {name.singular: name for name in map(_name, _NAMES.split(", "))}
ADJECTIVES = {adjective.english: adjective for adjective in map(_adjective, _ADJECTIVES.strip().splitlines())}
