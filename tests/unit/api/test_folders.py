import os
from pathlib import Path

import pytest

from api import folders
from api.folders import FolderRefused
from api.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", runtime_dir=tmp_path / "run")


def test_the_folders_are_made_private(settings: Settings) -> None:
    with folders.claimed(settings):
        made = [settings.data_dir, settings.runtime_dir, settings.sockets.temporary, settings.sockets.quarantine]

        assert [folder.stat().st_mode & 0o777 for folder in made] == [0o700] * 4


def test_a_folder_others_can_read_is_closed(settings: Settings) -> None:
    settings.data_dir.mkdir(mode=0o755)

    with folders.claimed(settings):
        assert settings.data_dir.stat().st_mode & 0o777 == 0o700


def test_a_planted_link_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    settings.runtime_dir.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FolderRefused), folders.claimed(settings):
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(settings: Settings) -> None:
    settings.runtime_dir.mkdir()
    os.chown(settings.runtime_dir, 12345, 12345)

    with pytest.raises(FolderRefused), folders.claimed(settings):
        pass


def test_a_folder_in_use_is_refused_until_it_is_free(settings: Settings, tmp_path: Path) -> None:
    same_data = Settings(data_dir=settings.data_dir, runtime_dir=tmp_path / "other")

    with (
        folders.claimed(settings),
        pytest.raises(FolderRefused, match="another service"),
        folders.claimed(same_data),
    ):
        pass

    with folders.claimed(same_data):
        assert same_data.runtime_dir.is_dir()


def test_temporary_files_do_not_outlive_the_service(settings: Settings) -> None:
    with folders.claimed(settings):
        leftover = settings.sockets.temporary / "leftover"
        leftover.write_bytes(b"x")

    assert not leftover.exists()
