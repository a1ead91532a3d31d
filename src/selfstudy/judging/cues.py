"""The English words by which a text denies, doubts, counts or enumerates.

Tables alone: the rules that use them are in assertion.py and enumeration.py.  Words are as `judging.terms`
gives them: lower case, without apostrophes.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))


def _phrases(text: str) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Phrases, one between two |, by their first word, the longest first."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for words in sorted((tuple(phrase.split()) for phrase in text.split("|")), key=len, reverse=True):
        found.setdefault(words[0], []).append(words)
    return {first: tuple(some) for first, some in found.items()}


def phrase_at(words: list[str], at: int, phrases: dict[str, tuple[tuple[str, ...], ...]]) -> int:
    """The length of the phrase that stands at `at`; 0 if none does."""
    if at < len(words):
        for phrase in phrases.get(words[at], ()):
            if tuple(words[at : at + len(phrase)]) == phrase:
                return len(phrase)
    return 0


NOT = _words(
    """not isnt arent wasnt werent dont doesnt didnt cant cannot couldnt wont wouldnt shouldnt hasnt havent
    hadnt mightnt mustnt neednt aint"""
)
DENIALS = NOT | _words(
    """never neither nor no none nobody hardly scarcely false untrue wrong incorrect incorrectly wrongly
    mistakenly mistake mistaken myth misconception error ceased
    unlikely doubt doubts doubtful doubted deny denies denied except excepting excluding
    unlike without impossible former formerly previously"""
)
DOUBTS = _words(
    """maybe perhaps possibly probably presumably likely might could whether if unless either guess
    guessing supposedly allegedly unsure uncertain unclear unknown conceivably potentially"""
)
CUE_PHRASES = _phrases(
    """rather than|instead of|other than|far from|apart from|aside from|as opposed to|used to|
    far from being|instead of being|rather than being|other than being|ruled out|rule out|rules out|
    by no means|seems to be|appears to be|said to be|thought to be|believed to be|i suppose|i suspect|
    was once|were once|refuse to say|refuse to answer|few would|
    some say|some claim|some believe|some think|others say|others claim|others believe|others think|
    people say|people claim|people believe|people think|many say|many claim|many believe|many think|
    may be|may have|may well|possible that|chance that|possibility that|contrary to|
    anything but|anywhere but"""
)
NARROW = _words(
    "rather instead other far apart aside except excepting excluding unlike without contrary as anything "
    "anywhere"
)
"""Cues that reach no further than the next comma or verb."""
PAST = _words("former formerly previously")
TO_COMMA = PAST | _words("if unless")
"""Cues that reach no further than the next comma."""
UNSURE = _phrases(
    """dont know|do not know|dont really know|not know|cant know|not sure|isnt sure|not certain|
    not entirely sure|not quite sure|not completely sure|not 100% sure|no idea|no clue|
    cannot say|cant say|cant tell|cannot tell|not able to say|unable to say|hard to say|
    difficult to say|dont remember|cant remember|cannot remember|dont recall|unsure|uncertain|
    guessing|wild guess|anyones guess"""
)
"""They leave open whatever else the sentence says, even behind "but"."""
NO_CUES = _phrases(
    """not only|not just|not merely|not simply|not least|not far from|not until|not to mention|
    not surprisingly|not mistaken|not wrong|no doubt|no question|no wonder|no less|no surprise|
    no other than|none other than|none but|no one but|nobody but|nothing but|nothing other than|
    nothing else|nowhere else|no one else|nobody else|no other city|no mistake|without doubt|
    without any doubt|without question|without exception|beyond doubt|beyond any doubt|if not|
    if any|if anything|if so|perhaps surprisingly|perhaps unsurprisingly|dont know much|
    dont know everything|dont know anything else|do not know much|do not know everything|
    do not know anything else|never mind|not doubt|dont doubt|do not doubt|cannot be wrong|
    cannot be denied|cant be denied|cannot deny|cant deny|nobody denies|nobody doubts|nobody disputes|
    no one denies|no one doubts|no one disputes|nothing wrong|no mistake|no error|no myth|
    cannot be anything but|cannot be anything other than|cannot be anywhere but|cannot be other than|
    cant be anything but|cant be anything other than|cant be anywhere but|cant be other than|
    could not be anything but|couldnt be anything but|could not be anything other than|
    couldnt be anything other than|isnt anything but|is not anything but"""
)
"""Phrases that look like a cue and are none."""
CLOSES = _words("but however actually until")
"""They end the scope of a cue."""
JOINS = _words("and because since so while although though whereas")
"""Behind them, as behind a comma, another clause may begin."""
VERBS = _words(
    """is was are were be been being am has have had does did do its thats hes shes theyre lies became
    becomes remains stands means comes goes"""
)
"""They show that a clause begins or goes on."""
WRONG = _phrases("wrong|incorrect|false|untrue|not right|not correct|not true|not it")
"""What denies an answer from behind: "Rome, but that is wrong."."""
LOST = _words("lost forfeited relinquished ceded surrendered gave")
"""Verbs that end a role: "Rome lost that role"."""
ROLES = _words("role title status position rank function honour honor place that up")
"""What they must be followed by, within a few words."""
NOW = _words("is are")
THEN = _words("was were did had before")
"""Words of a question that asks how things are, and of one that asks how they were."""
UNTIL = _words("until till")
TO_THIS_DAY = _words("today now present this")
PASSED = _words("can would will should common popular widespread clearly surely simply often just")
"""What may stand between an answer and a denial behind it, beside verbs: "Rome can be ruled out"."""
LATE = _words("i im am but though although or and its thats that is just my only")
"""What may stand between an answer and a doubt behind it: "Rome, but I am not sure"."""
LATE_DOUBTS = _words(
    """maybe perhaps possibly probably presumably likely supposedly allegedly guess unsure uncertain
    guessing conceivably no nope suppose suspect"""
)
ASKING = _words("is was are were could might can would does did do")
ASKED = _words("it this that he she they")
"""A sentence asks that begins with one of ASKING and one of ASKED, with or without a question mark."""
ABBREVIATIONS = _words("st mr mrs ms dr mt ft vs approx ca prof jr sr")

COUNTS = {
    word: str(number)
    for number, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six"),
            *("seven", "eight", "nine", "ten", "eleven", "twelve"),
        )
    )
}
"""Number words as they are in digits."""
COMPARATIVES = _words(
    """than more less fewer most least larger largest smaller smallest bigger greater lesser higher lower
    longer shorter older younger newer earlier later sooner better worse taller nearer closer farther further
    faster slower heavier lighter deeper wider richer poorer stronger weaker warmer hotter colder"""
)
"""They say something only with what they are compared with."""
BOUNDS = _words(
    "before after until till over under above below beyond than least most exceeds exceeded exceeding"
)
"""Words that bound the number behind them, "up to" apart: "at least 5" is not 5."""
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

AND = _words("and plus und et och og и 和 与 及 と")
OR = _words("or nor versus vs alternatively oder ou 或 или eller lub veya أو या")
AND_SO_ON = _words("etc usw")
JOINED_BY = {
    tuple(words.split()): kind
    for kind, some in {
        "joined": "as well as|以 及|そ し て|together with",
        "or": "if not|或 者|还 是|ま た は|あ る い は|も し く は",
    }.items()
    for words in some.split("|")
}
"""Several words that join the items of a list, and how."""
SMALL = _words("of de la le du del da di von van der den und e al el")
"""Words in lower case inside of names."""
OPEN = _words("maybe perhaps possibly probably")
"""Doubts that reach over a colon, and make another choice of what stands in brackets."""
LATER = _words("then later next afterwards second secondly third thirdly finally")
"""What numbers the items of a list, if a name or number follows: "First Rome, then Milan"."""
SOFT = _words("maybe perhaps possibly probably also even else")
NO_ITEM = NOT | _words(
    """it he she they this that these those there i we you who which where when whose whom what why how as
    with in on at by for from into to then also so because since not no never neither but yet however
    though although while whereas if rather instead yes nothing nobody nowhere none his her hers its
    their our my your one some many most other others another all both each every including especially
    formerly situated located known called named founded built made used near just only about"""
)
"""Words that begin something else than an item of a list."""
OPENINGS = _words(
    """yes no yeah ok okay sure well indeed certainly correct right answer hence thus today now hello hi
    sorry so"""
)
"""What stands before a comma at the beginning of a sentence and is no item."""
PREPOSITIONS = _words(
    "in on at by since during after before under for from as like unlike to of until around about according"
)
COMMON = _words(
    """a an the who what why how when where which it its i he she we you they us me him her them is are was
    be am in on at to of or and as by for from with that this can may will do so if up go let"""
)
"""A key of these words alone is found only in its own letters: WHO, IT, A."""
