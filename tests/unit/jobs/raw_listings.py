"""Raw listings as files have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

# The published file's columns; the first has no name.
HEADER = (
    ",total_images,last_price,total_area,first_day_exposition,rooms,ceiling_height,floors_total,"
    "living_area,floor,is_apartment,studio,open_plan,kitchen_area,balcony,locality_name,"
    "airports_nearest,cityCenters_nearest,parks_around3000,parks_nearest,ponds_around3000,"
    "ponds_nearest,days_exposition"
)
# Three listings such as the published ones: one is open, one has neither places nor a ceiling.
OPEN = (
    "0,20,13000000.0,108.0,2019-03-07T00:00:00,3,2.7,16.0,51.0,8,,False,False,25.0,,"
    "Санкт-Петербург,18863.0,16028.0,1.0,482.0,2.0,755.0,"
)
CLOSED = (
    "1,7,3350000.0,40.4,2018-12-04T00:00:00,1,,11.0,18.6,1,,False,False,11.0,2.0,"
    "посёлок Шушары,12817.0,18603.0,0.0,,0.0,,81.0"
)
FAR = "2,5,900000.0,33.3,2018-01-02T00:00:00,1,,5.0,,1,True,False,False,,,Сланцы,,,,,,,30.0"


def write_listings(path: Path, lines: Iterable[str], *, header: str = HEADER) -> Path:
    """The file at `path`, one line after another."""
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def changed(line: str, values: Mapping[str, str]) -> str:
    """The line with other values in some of its columns."""
    fields = dict(zip(HEADER.split(","), line.split(","), strict=True))
    return ",".join((fields | values).values())
