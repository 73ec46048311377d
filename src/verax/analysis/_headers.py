"""What an analysis reads, held to the headers of its files: before any work, and in seconds."""

from verax.data import expression
from verax.errors import InputError

from ._parts import Reading
from ._sections import Source


def check_headers(reading: Reading) -> None:
    """Refuse files without a column that is read from them.

    Raises
    ------
    InputError : with the file and the nearest column
    """
    for sample in reading.samples:
        _check(reading, sample, sample.process, f"process '{sample.process}'")
    for side in reading.varied:
        for sample in side.samples:
            _check(reading, sample, "", f"systematic '{side.systematic}', process '{sample.process}'")
    if reading.observed:
        _check(reading, reading.observed, "", "observed")


def _check(reading: Reading, source: Source, reader: str, where: str) -> None:
    table = reading.open(source)
    formulas = [expression(text) for text in (source.select, source.weight) if text]
    text = [n for f in formulas for n in f.text]
    number = [n for n in (reading.number,) if n and (source is not reading.observed or n in table.columns)]
    names = [*reading.columns.read(reader, table.columns), *(n for f in formulas for n in f.names), *number]
    for i in range(len(table.parts)):
        try:
            table.part(i).chunks(names, 1, text=text, integer=number)  # looks, and reads no row
        except InputError as error:
            raise InputError(f"{where}, {error.where}", error.got, error.expected, error.action) from error
