"""Writes `regstack/auth/common_passwords.txt.gz` from the frequency list that zxcvbn ships.

pip install zxcvbn
python tools/password_blocklist.py
"""

from __future__ import annotations

import gzip
from pathlib import Path

from zxcvbn.frequency_lists import FREQUENCY_LISTS

MINIMUM_LENGTH = 8
TARGET = Path(__file__).parent.parent / "regstack" / "auth" / "common_passwords.txt.gz"

passwords = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MINIMUM_LENGTH]
TARGET.write_bytes(gzip.compress("\n".join(passwords).encode(), mtime=0))
print(f"{len(passwords)} passwords, {TARGET.stat().st_size} bytes")
