"""What the tests of gather look up."""

CAPITALS = {
    "Mali": "Bamako",
    "Chad": "Ndjamena",
    "Peru": "Lima",
    "Togo": "Lome",
    "Fiji": "Suva",
    "Cuba": "Havana",
    "Oman": "Muscat",
}
