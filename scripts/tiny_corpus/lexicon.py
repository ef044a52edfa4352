"""The words of the embedded corpus: what they look like in both languages and what may be said of what."""

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


class Frame(NamedTuple):
    """A verb used with one class of subjects and one of objects; both are tags or single nouns."""

    verb: str
    subjects: frozenset[str]
    objects: frozenset[str]


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
child/children | enfant | m | person child small curious
baby | bébé | m | infant small
student | étudiant | m | person role nation young bright
teacher | professeur | m | person role nation old young good new bright
doctor | médecin | m | person role nation old young good new famous
nurse | infirmière | f | person role young good new
baker | boulanger | m | person role old good new
farmer | fermier | m | person role old young rich
actress | actrice | f | person role nation young lovely famous rich
writer/writers | écrivain | m | person role nation old young famous
painter | peintre | m | person role nation old young famous
tourist | touriste | m | person nation rich young
hero/heroes | héros | m | person old young famous
queen | reine | f | person old young lovely rich
friend | ami | m | person known old new good nation
neighbour | voisin | m | person known old new rich curious
mother | mère | f | person kin unique
father | père | m | person kin unique
brother | frère | m | person kin small
sister | sœur | f | person kin small
uncle | oncle | m | person kin old rich
aunt | tante | f | person kin old rich
dog | chien | m | animal pet hunter sized old fat furred bright lovely
cat | chat | m | animal pet hunter sized old fat furred curious lovely
rabbit | lapin | m | animal pet grazer prey sized fat furred
bird | oiseau | m | animal prey flying sized lovely coloured
horse | cheval/chevaux | m | animal grazer sized old furred lovely
cow | vache | f | animal grazer sized old fat furred
mouse/mice | souris | f | animal prey sized furred
duck | canard | m | animal prey flying sized fat furred
owl | hibou/hiboux | m | animal flying sized old furred
bear | ours | m | animal hunter sized old fat furred
wolf/wolves | loup | m | animal hunter sized old furred
apple | pomme | f | food fruit tasty sized red green yellow
pear | poire | f | food fruit tasty sized green yellow
orange | orange | f | food fruit tasty sized
strawberry | fraise | f | food fruit tasty
carrot | carotte | f | food fruit sized
tomato/tomatoes | tomate | f | food fruit tasty sized red green
egg | œuf | m | food sized white brown fresh
cake | gâteau | m | food tasty sized
sandwich | sandwich | m | food tasty sized
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
book | livre | m | text goods portable heavy new old good interesting nation coloured
letter | lettre | f | text portable long interesting
newspaper | journal/journaux | m | text goods portable old nation interesting
story | histoire | f | tale long sad interesting good lovely
poem | poème | m | text tale long sad lovely
song | chanson | f | tale long sad lovely pretty new nation good
film | film | m | long sad interesting good new old nation
photo | photo | f | portable old lovely
hat | chapeau | m | clothing goods portable sized coloured old new pretty priced
dress | robe | f | clothing goods sized coloured old new pretty lovely long priced washable
shirt | chemise | f | clothing goods sized coloured old new priced washable
coat | manteau | m | clothing goods portable sized coloured old new priced washable
skirt | jupe | f | clothing goods sized coloured new pretty long washable
key | clé | f | portable sized new old
bag | sac | m | goods portable sized coloured heavy empty old new priced washable
box | boîte | f | sized coloured heavy empty old pretty
ball | ballon | m | goods portable sized coloured new old
umbrella | parapluie | m | goods portable sized coloured new old
lamp | lampe | f | goods sized coloured new old pretty
cup | tasse | f | goods sized coloured empty pretty washable
clock | horloge | f | goods sized old priced lovely
gift | cadeau | m | goods portable sized lovely heavy
flower | fleur | f | goods sized coloured lovely pretty
chair | chaise | f | goods furniture sized coloured old new heavy
table | table | f | goods furniture sized old new heavy
car | voiture | f | goods vehicle sized coloured old new lovely priced washable nation
bicycle | vélo | m | goods vehicle sized coloured old new priced
boat | bateau | m | vehicle sized coloured old new lovely
piano | piano | m | instrument goods old new priced heavy
violin | violon | m | instrument goods old new priced
guitar | guitare | f | instrument goods old new priced
door | porte | f | sized coloured old new
window | fenêtre | f | sized washable
tree | arbre | m | sized old lovely green
house | maison | f | building inside sized coloured old new lovely pretty empty priced modern
kitchen | cuisine | f | inside sized new modern
garden | jardin | m | inside outdoors sized lovely pretty quiet
park | parc | m | inside outdoors aim sized lovely quiet new
street | rue | f | inside long quiet empty
forest | forêt | f | inside outdoors sized lovely quiet
village | village | m | inside town sized old lovely pretty quiet
city | ville | f | inside town sized old lovely modern interesting
school | école | f | building aim workplace sized old new modern
market | marché | m | aim sized
shop | magasin | m | building inside workplace sized new
hospital | hôpital/hôpitaux | m | building aim workplace sized old new modern
station | gare | f | aim sized old new modern
beach | plage | f | aim outdoors lovely quiet long
church | église | f | building inside aim sized old lovely quiet
museum | musée | m | building aim workplace interesting new modern famous
library | bibliothèque | f | building inside aim workplace sized old new modern quiet
hotel | hôtel | m | building inside aim workplace sized old new modern quiet famous priced
restaurant | restaurant | m | building aim workplace sized good new nation famous priced
farm | ferme | f | building workplace sized old lovely
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
kind | gentil | gentille | after | person
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

# verb | subjects | objects
_FRAMES = """
eat | person | food edible
eat | dog cat bear wolf | meat
eat | grazer | apple carrot grass
eat | mouse bird | bread cheese
drink | person | drink
drink | pet horse cow mouse | water milk
buy | person | goods food edible
sell | adult role | goods fruit cheese bread cake
read | person | text tale
write | person | letter poem story book
see | person | person animal vehicle building tree
see | animal | person animal
look_for | person | person pet portable
find | person | pet portable
lose | person | portable
forget | person | key bag umbrella hat letter book coat
love | person | person pet
know | person | person town museum story song
wait_for | person | person
listen_to | person | person music song story bird
watch | person | animal film child
watch | dog cat | bird mouse rabbit
help | person | person
meet | person | person
invite | person | person
follow | person | person animal
follow | dog cat duck wolf | child adult animal
chase | hunter | prey
take | person | portable fruit cake cup
carry | person | bag box gift chair umbrella table
wear | person | clothing
open | person | door window box bag letter gift
close | person | door window box bag book
wash | person | washable
paint | person | house door window chair boat flower tree
repair | person | vehicle clock chair lamp door
break | person | cup lamp window clock chair
hide | person | key letter gift cake photo chocolate
prepare | person | soup cake salad coffee tea sandwich rice
build | person | house boat
visit | person | town museum church farm
choose | person | clothing cake flower book film photo gift
draw | person | flower tree animal house
sing | person | song
give | person | gift flower book key apple cake ball photo hat umbrella
show | person | photo letter book house car poem dress
send | person | letter gift photo flower book
lend | role known kin adult | book car bicycle umbrella coat guitar
bring | person | coffee tea cake flower bread chair soup
tell | person | story
speak_to | person | person
answer | person | person
smile_at | person | person
play | person | instrument
have | person | pet vehicle house garden instrument brother sister uncle aunt umbrella dress
like | person | edible drink fruit pet flower story song film book poem museum music
hate | person | edible drink fruit mouse music city
need | person | key umbrella book coat car chair bicycle box bag egg apple doctor friend lamp water bread coffee milk
sleep | person animal infant |
work | adult role known kin |
sing | person bird |
dance | person |
swim | person duck bear dog |
run | person dog horse rabbit wolf cat mouse |
walk | person horse bear |
laugh | person infant |
cry | child infant |
shout | person |
travel | person |
fly | flying |
wake_up | person pet infant |
get_up | person |
fall_asleep | person pet infant |
rest | person pet horse cow |
stop | person vehicle |
get_dressed | person |
go | person |
come | person |
arrive | person vehicle |
leave | person |
come_back | person dog cat |
go_out | person dog cat |
stay | person |
fall | person infant |
live | person |
"""


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


def _frame(line: str) -> Frame:
    verb, subjects, objects = (part.strip() for part in line.split("|"))
    return Frame(verb, _words(subjects), _words(objects))


NOUNS = {noun.singular: noun for noun in map(_noun, _NOUNS.strip().splitlines())}
NAMES = {name.singular: name for name in map(_name, _NAMES.split(", "))}
ADJECTIVES = {adjective.english: adjective for adjective in map(_adjective, _ADJECTIVES.strip().splitlines())}
FRAMES = [_frame(line) for line in _FRAMES.strip().splitlines()]


def nouns(classes: frozenset[str]) -> list[Noun]:
    """The nouns that carry one of these tags or are named here, in the lexicon's order."""
    return [noun for noun in NOUNS.values() if noun.tags & classes or noun.singular in classes]


def adjectives(noun: Noun) -> list[Adjective]:
    """The adjectives that may be said of this noun, in the lexicon's order."""
    return [each for each in ADJECTIVES.values() if each.tags & noun.tags or noun.singular in each.tags]


def frames(*verbs: str) -> list[Frame]:
    """The frames of these verbs."""
    return [frame for frame in FRAMES if frame.verb in verbs]
