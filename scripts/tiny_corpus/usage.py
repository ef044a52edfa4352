"""Who does what to what: for every verb the classes of subjects and objects that a person would accept."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from .lexicon import ADJECTIVES, NOUNS, Adjective, Noun


class Frame(NamedTuple):
    """A verb used with one class of subjects and one of objects; a class is a tag or a single noun."""

    verb: str
    subjects: frozenset[str]
    objects: frozenset[str]

    @property
    def human(self) -> bool:
        """Whether people may be the subject."""
        return not PEOPLE.isdisjoint(self.subjects)


PEOPLE = frozenset({"person", "role", "adult"})

# verb | subjects | objects
_FRAMES = """
eat | person | food edible
eat | person | egg honey rice salad chocolate
eat | dog cat bear wolf | meat
eat | horse cow rabbit | apple carrot grass
eat | mouse bird | bread cheese
drink | person | water milk tea
drink | adult role | coffee wine
drink | dog cat | water milk
drink | rabbit horse cow mouse bird | water
buy | person | goods food edible
sell | adult role | goods fruit cheese bread cake
read | person | text story
write | person | letter poem book story
see | person | person animal vehicle building tree
see | animal | person animal
look_for | person | child known pet portable
find | person | pet portable
lose | person | portable
forget | person | key bag umbrella hat letter book coat
love | person | person pet
like | person | edible drink fruit pet flower story song film book poem museum music
hate | person | edible drink fruit mouse music city
know | person | person town museum story song
have | person | pet vehicle house garden instrument brother sister uncle aunt umbrella
need | person | key umbrella book coat car chair bicycle box bag egg apple doctor friend lamp water bread coffee milk
wait_for | person | person
listen_to | person | child role
listen_to | person | music song story bird
listen_to | person | music
watch | person | animal child
watch | person | film
watch | dog cat | bird mouse rabbit
help | person | person
meet | person | person
invite | person | person
follow | person | person animal
follow | dog cat duck wolf | child adult animal
chase | hunter | prey
chase | dog bear wolf | animal child
take | person | portable fruit cake cup
carry | person | bag box gift chair umbrella table
wear | person | hat shirt coat
wear | woman girl mother sister aunt actress queen nurse | dress skirt
open | person | door window box bag letter gift
close | person | door window box bag book
wash | person | washable
paint | person | house door chair boat flower tree
repair | adult role kin known | vehicle clock chair lamp door
break | person | cup lamp window clock chair
hide | person | key letter gift cake photo chocolate
prepare | person | soup cake salad coffee tea sandwich rice egg
build | adult role kin known | house boat
visit | person | town museum church farm
choose | person | clothing cake flower book film photo gift
draw | person | flower tree animal house
sing | person | song
give | person | gift flower book key apple cake ball photo hat umbrella
show | person | photo letter book house car poem dress
send | person | letter gift photo flower book
lend | adult role kin known | book car bicycle umbrella coat guitar
bring | person | coffee tea cake flower bread chair soup
tell | person | story
speak_to | person | person
answer | person | person
smile_at | person | person
play | person | instrument
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
stop | person |
stop | vehicle |
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


def listed(text: str) -> tuple[str, ...]:
    """The words of a list of verbs, adjectives or classes."""
    return tuple(text.split())


def _frame(line: str) -> Frame:
    verb, subjects, objects = (part.strip() for part in line.split("|"))
    return Frame(verb, frozenset(subjects.split()), frozenset(objects.split()))


FRAMES = tuple(_frame(line) for line in _FRAMES.strip().splitlines())


@cache
def nouns(classes: frozenset[str]) -> tuple[Noun, ...]:
    """The nouns that carry one of these tags or are named here, in the lexicon's order."""
    return tuple(noun for noun in NOUNS.values() if noun.tags & classes or noun.singular in classes)


@cache
def adjectives(noun: Noun) -> tuple[Adjective, ...]:
    """The adjectives that may be said of this noun, in the lexicon's order."""
    return tuple(each for each in ADJECTIVES.values() if each.tags & noun.tags or noun.singular in each.tags)


@cache
def frames(*verbs: str) -> tuple[Frame, ...]:
    """The frames of these verbs, or of all."""
    return tuple(frame for frame in FRAMES if frame.verb in verbs or not verbs)


@cache
def human_frames(*verbs: str) -> tuple[Frame, ...]:
    """The frames of these verbs, or of all, whose subject may be a person."""
    return tuple(frame for frame in frames(*verbs) if frame.human)


@cache
def doing_to(noun: Noun, *verbs: str) -> tuple[Frame, ...]:
    """The frames of these verbs by which people do something to this noun."""
    return tuple(frame for frame in human_frames(*verbs) if noun in nouns(frame.objects))


@cache
def done_by(noun: Noun) -> tuple[Frame, ...]:
    """The frames that this noun may be the subject of."""
    return tuple(frame for frame in FRAMES if noun in nouns(frame.subjects))
