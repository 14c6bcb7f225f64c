"""Zip archives of the publishers: checked, and unpacked as far as the registry's pattern names their members."""

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

DAMAGED = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error)


def matches(pattern: str, dataset: str, member: str) -> bool:
    """Whether `find_files` would find a file of this relative path below ``raw/<dataset>``."""
    forms = (PurePosixPath(member).name, member, f"{dataset}/{member}")
    return any(re.fullmatch(pattern, form) for form in forms)


def check_archive(archive: Path) -> None:
    """Raise ValueError if a file is no zip archive, or a member of it is damaged; all of it is read."""
    try:
        with zipfile.ZipFile(archive) as bundle:
            damaged = bundle.testzip()
    except DAMAGED as error:
        raise ValueError(f"{archive}: no whole zip archive ({error})") from None
    if damaged is not None:
        raise ValueError(f"{archive}: member {damaged} is damaged")


def _check_members(archive: Path, folder: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        inside = (folder / path).resolve().is_relative_to(folder.resolve())
        if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(member.external_attr >> 16) or not inside:
            raise ValueError(
                f"{archive}: member {member.filename!r} is a link or leads out of {folder}; nothing was unpacked. "
                "Is the archive the publisher's?"
            )


def unpack(archive: Path, folder: Path, dataset: str, pattern: str) -> None:
    """Unpack the members that a pattern names; they appear together, after the last is whole.

    Parameters
    ----------
    archive : pathlib.Path
        A zip file.
    folder : pathlib.Path
        The members go below it, by their paths in the archive; those there with their size are left alone.
    dataset, pattern : str
        A data set and its name pattern, see `matches`.

    Raises
    ------
    ValueError
        If a member is a link or leads out of the folder, or the archive is damaged.
    FileNotFoundError
        If no member has such a name.
    """
    fresh: list[tuple[Path, Path]] = []
    try:
        with zipfile.ZipFile(archive) as bundle:
            _check_members(archive, folder, bundle.infolist())
            wanted = [m for m in bundle.infolist() if not m.is_dir() and matches(pattern, dataset, m.filename)]
            if not wanted:
                held = bundle.namelist()
                raise FileNotFoundError(f"{archive}: no member is named {pattern}; it holds {held[:4]} of {len(held)}.")
            for member in wanted:
                target = folder / member.filename
                if target.is_file() and target.stat().st_size == member.file_size:
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                fresh.append((target.with_name(f"{target.name}.part"), target))
                with bundle.open(member) as source, fresh[-1][0].open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
    except DAMAGED as error:
        raise ValueError(f"{archive}: cannot be unpacked ({error}); unpack it by hand, or delete it.") from None
    for temporary, target in fresh:
        temporary.replace(target)
