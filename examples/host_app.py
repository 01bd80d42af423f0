"""A host application: notes, kept in a table of its own and keyed to the account's id.

    pip install uvicorn
    export REGSTACK_JWT_SECRET=$(openssl rand -base64 48)
    uvicorn --app-dir examples --factory host_app:create_app

Accounts and notes share nothing but the id: regstack has no extra columns, and the application
reads no table of regstack's.
"""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field

from regstack import RegStack, RegStackConfig
from regstack.models.user import User  # noqa: TC001 - FastAPI reads the annotations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS notes_by_user ON notes (user_id);
"""


class Note(BaseModel):
    """What a person writes down."""

    text: Annotated[str, Field(min_length=1, max_length=2000)]


class Notes:
    """The application's own storage."""

    def __init__(self, path: str) -> None:
        self._path = path
        with closing(self._connect()) as connection:
            connection.executescript(SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path)

    def add(self, user_id: str, text: str) -> None:
        """Keep a note."""
        with closing(self._connect()) as connection, connection:
            connection.execute("INSERT INTO notes (user_id, text) VALUES (?, ?)", (user_id, text))

    def of(self, user_id: str) -> list[Note]:
        """List a person's notes, oldest first."""
        with closing(self._connect()) as connection:
            rows = connection.execute("SELECT text FROM notes WHERE user_id = ? ORDER BY id", (user_id,))
            return [Note(text=text) for (text,) in rows]

    def forget(self, user_id: str) -> None:
        """Delete a person's notes."""
        with closing(self._connect()) as connection, connection:
            connection.execute("DELETE FROM notes WHERE user_id = ?", (user_id,))


def create_app(rs: RegStack | None = None, notes_path: str = "notes.db") -> FastAPI:
    """Build the application; a test passes its own `RegStack` in."""
    if rs is None:
        rs = RegStack(config=RegStackConfig.load(enable_ui_router=True))
    notes = Notes(notes_path)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with rs:
            yield

    app = FastAPI(title="Notes", lifespan=lifespan)
    app.include_router(rs.router, prefix=rs.config.api_prefix)
    if rs.config.enable_ui_router:
        app.include_router(rs.ui_router, prefix=rs.config.ui_prefix)
        app.mount(rs.config.static_prefix, rs.static_files)

    # The user is gone when the event comes, and only the id is needed.
    @rs.on("user_deleted")
    def forget_notes(user: User) -> None:
        notes.forget(user.id)

    # Plain functions: FastAPI runs them in its threads, where sqlite3 may block.
    @app.post("/notes", status_code=201)
    def add_note(note: Note, user: User = Depends(rs.deps.current_user())) -> Note:
        notes.add(user.id, note.text)
        return note

    @app.get("/notes")
    def list_notes(user: User = Depends(rs.deps.current_user())) -> list[Note]:
        return notes.of(user.id)

    return app
