"""The verbs of the embedded corpus and their forms in both languages."""

from __future__ import annotations

from typing import NamedTuple

# Persons by index: I/je, he/il, we/nous, they/ils.
FIRST, THIRD, FIRST_PLURAL, THIRD_PLURAL = 0, 1, 2, 3
_FUTURE = ("ai", "a", "ons", "ont")
_IMPERFECT = ("ais", "ait", "ions", "aient")


class French(NamedTuple):
    """A French verb: four persons of the present, the participle and the stem of the future."""

    infinitive: str
    present: tuple[str, ...]
    participle: str
    future_stem: str

    def future(self, person: int) -> str:
        """The simple future: mangera."""
        return self.future_stem + _FUTURE[person]

    def imperfect(self, person: int) -> str:
        """The imperfect: mangeait; its stem is that of `nous` in the present, except for être."""
        stem = "ét" if self.infinitive == "être" else self.present[FIRST_PLURAL].removesuffix("ons")
        ending = _IMPERFECT[person]
        if ending.startswith("i"):
            stem = stem.removesuffix("e") if stem.endswith("ge") else stem.replace("ç", "c")
        return stem + ending


class Verb(NamedTuple):
    """A verb with its translation; `flags` say how it is used."""

    lemma: str
    base: str
    past: str
    participle: str
    gerund: str
    particle: str
    french: French
    reflexive: bool
    auxiliary: str
    flags: frozenset[str]

    def present(self, person: int) -> str:
        """The simple present: eats."""
        return third_person(self.base) if person == THIRD else self.base

    def forms(self) -> list[str]:
        """Every English form, without its particle."""
        return sorted({self.base, third_person(self.base), self.past, self.participle, self.gerund})


def third_person(base: str) -> str:
    """The English third person singular: goes, carries, sleeps."""
    if base in ("have", "can", "must"):
        return {"have": "has"}.get(base, base)
    if base.endswith(("s", "x", "z", "ch", "sh", "o")):
        return base + "es"
    return base[:-1] + "ies" if base.endswith("y") and base[-2] not in "aeiou" else base + "s"


def _regular_past(base: str) -> str:
    if base.endswith("e"):
        return base + "d"
    return base[:-1] + "ied" if base.endswith("y") and base[-2] not in "aeiou" else base + "ed"


def _gerund(base: str) -> str:
    return base[:-1] + "ing" if base.endswith("e") and not base.endswith("ee") else base + "ing"


# infinitive: je, il, nous, ils, participle, stem of the future; verbs in -er that are regular are not here
_IRREGULAR = """
être suis est sommes sont été ser
avoir ai a avons ont eu aur
aller vais va allons vont allé ir
acheter achète achète achetons achètent acheté achèter
attendre attends attend attendons attendent attendu attendr
boire bois boit buvons boivent bu boir
choisir choisis choisit choisissons choisissent choisi choisir
connaître connais connaît connaissons connaissent connu connaîtr
construire construis construit construisons construisent construit construir
courir cours court courons courent couru courr
devoir dois doit devons doivent dû devr
dire dis dit disons disent dit dir
dormir dors dort dormons dorment dormi dormir
écrire écris écrit écrivons écrivent écrit écrir
endormir endors endort endormons endorment endormi endormir
envoyer envoie envoie envoyons envoient envoyé enverr
espérer espère espère espérons espèrent espéré espérer
essayer essaie essaie essayons essaient essayé essaier
lever lève lève levons lèvent levé lèver
lire lis lit lisons lisent lu lir
ouvrir ouvre ouvre ouvrons ouvrent ouvert ouvrir
partir pars part partons partent parti partir
peindre peins peint peignons peignent peint peindr
perdre perds perd perdons perdent perdu perdr
poursuivre poursuis poursuit poursuivons poursuivent poursuivi poursuivr
pouvoir peux peut pouvons peuvent pu pourr
prendre prends prend prenons prennent pris prendr
répondre réponds répond répondons répondent répondu répondr
revenir reviens revient revenons reviennent revenu reviendr
rire ris rit rions rient ri rir
savoir sais sait savons savent su saur
sortir sors sort sortons sortent sorti sortir
sourire souris sourit sourions sourient souri sourir
suivre suis suit suivons suivent suivi suivr
vendre vends vend vendons vendent vendu vendr
venir viens vient venons viennent venu viendr
voir vois voit voyons voient vu verr
vouloir veux veut voulons veulent voulu voudr
"""


def _read_irregular(line: str) -> French:
    infinitive, first, third, plural, thirds, participle, future = line.split()
    return French(infinitive, (first, third, plural, thirds), participle, future)


_FRENCH = {verb.infinitive: verb for verb in map(_read_irregular, _IRREGULAR.strip().splitlines())}


def _french(infinitive: str) -> French:
    if infinitive in _FRENCH:
        return _FRENCH[infinitive]
    stem = infinitive.removesuffix("er")
    plural = (
        stem + "eons" if stem.endswith("g") else stem.removesuffix("c") + "çons" if stem[-1] == "c" else stem + "ons"
    )
    return French(infinitive, (stem + "e", stem + "e", plural, stem + "ent"), stem + "é", infinitive)


# base[_particle] [past participle [gerund]] | infinitive | flags
# state: the English past is the French imperfect, and there is no progressive; point: no progressive;
# same: present and past look alike; to: the object follows "à"; de: the object follows "de"; besoin: to need is
# "avoir besoin de"; etre: the passé composé takes être; long: it may be said of a whole week or year; lasting: a state
# with a future; mishap: nobody plans it, so there is no future.
_VERBS = """
be was been | être | state
have had had | avoir | state
need | avoir | state lasting besoin
eat ate eaten | manger |
drink drank drunk | boire |
buy bought bought | acheter | long
sell sold sold | vendre | long
read read read | lire | same long
write wrote written | écrire | long
see saw seen | voir | point
look_for | chercher |
find found found | trouver | point long
lose lost lost losing | perdre | mishap point long
forget forgot forgotten forgetting | oublier | mishap point
love | aimer | state
like | aimer | state
hate | détester | state
know knew known | connaître | state
wait_for | attendre |
listen_to | écouter |
watch | regarder |
help | aider |
meet met met | rencontrer | point long
invite | inviter | point
follow | suivre |
chase | poursuivre |
take took taken | prendre | point
carry | porter |
wear wore worn | porter | state lasting
open | ouvrir |
close | fermer |
wash | laver |
paint | peindre | long
repair | réparer | long
break broke broken | casser | mishap point
hide hid hidden | cacher |
prepare | préparer |
build built built | construire | long
visit | visiter | long
choose chose chosen | choisir | long
draw drew drawn | dessiner |
sing sang sung | chanter |
give gave given | donner | point
show showed shown | montrer | point
send sent sent | envoyer | point
lend lent lent | prêter | point
bring brought brought | apporter | point
tell told told | raconter |
speak_to spoke spoken | parler | to
answer | répondre | to
smile_at | sourire | to
play | jouer | de
sleep slept slept | dormir |
work | travailler |
dance | danser |
swim swam swum swimming | nager |
run ran run running | courir |
walk | marcher |
laugh | rire |
cry | pleurer |
shout | crier |
travel travelled travelled travelling | voyager | long
fly flew flown | voler |
wake_up woke woken | se réveiller | point
get_up got got getting | se lever | point
fall_asleep fell fallen | se endormir | point
rest | se reposer |
stop stopped stopped stopping | se arrêter | mishap point
get_dressed got got getting | se habiller | point
go went gone | aller | etre long
come came come | venir | etre long
arrive | arriver | etre point long
leave left left | partir | etre point long
come_back came come | revenir | etre point long
go_out went gone | sortir | etre point
stay | rester | etre
fall fell fallen | tomber | mishap etre point
live | habiter | state lasting
want | vouloir | state
can could | pouvoir | state
must must | devoir | state
begin_to began begun beginning | commencer | point
try_to | essayer | point
think thought thought | penser | state
say said said | dire | point
hope | espérer | state
"""


def _verb(line: str) -> Verb:
    english, infinitive, flags = (part.strip() for part in line.split("|"))
    lemma, *irregular = english.split()
    base, _, particle = lemma.partition("_")
    past = irregular[0] if irregular else _regular_past(base)
    participle = irregular[1] if len(irregular) > 1 else past
    gerund = irregular[2] if len(irregular) > 2 else _gerund(base)
    marks = frozenset(flags.split())
    reflexive = infinitive.startswith("se ")
    auxiliary = "être" if reflexive or "etre" in marks else "avoir"
    french = _french(infinitive.removeprefix("se "))
    return Verb(lemma, base, past, participle, gerund, particle, french, reflexive, auxiliary, marks)


VERBS = {verb.lemma: verb for verb in map(_verb, _VERBS.strip().splitlines())}
# "to know that" is savoir, "to know somebody" is connaître.
KNOW_THAT = VERBS["know"]._replace(french=_FRENCH["savoir"])
ETRE, AVOIR, ALLER = _FRENCH["être"], _FRENCH["avoir"], _FRENCH["aller"]


def agree(form: str, feminine: bool, plural: bool) -> str:
    """A participle with its agreement: mangé, mangée, mangés, mangées; pris does not take a second s."""
    form += "e" if feminine else ""
    return form if form.endswith("s") or not plural else form + "s"
