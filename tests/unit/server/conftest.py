import pytest


@pytest.fixture(scope="session")
def walk():
    """Positions of a simulated walk, as a request holds them."""
    from moodwalk.walker import simulate_gait

    gait = simulate_gait(n_frames=75, fps=30.0, seed=3)
    positions = [[[round(float(x), 4) for x in j] for j in f] for f in gait.positions]
    return {"positions": positions, "fps": 30.0, "name": "mine"}


@pytest.fixture(scope="session")
def bvh(tmp_path_factory):
    """A simulated walk as the bytes of a BVH file."""
    from moodwalk.io.bvh_writing import write_bvh
    from moodwalk.walker import simulate_gait

    path = tmp_path_factory.mktemp("bvh") / "walk.bvh"
    write_bvh(path, simulate_gait(n_frames=120, fps=30.0, travel=True, seed=3))
    return path.read_bytes()


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """A music library of three tracks."""
    pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
    from moodwalk.music.library import Library
    from moodwalk.music.track import Track

    path = tmp_path_factory.mktemp("music") / "music.sqlite3"
    with Library.open(path) as opened:
        opened.put(
            Track(
                location=f"/music/{i}.flac",
                title=f"Track {i}",
                artist="Somebody",
                tempo_bpm=90.0 + 20 * i,
                valence=0.3 * i,
                arousal=0.2 * i,
                source="catalogue",
            )
            for i in range(3)
        )
    return path


@pytest.fixture(scope="session")
def running(library):
    """The application with its workers, and a client of it."""
    for package in ("fastapi", "prometheus_client", "python_multipart"):
        pytest.importorskip(package, reason="needs the extra 'app'")
    from fastapi.testclient import TestClient

    from moodwalk.server.app import make_app
    from moodwalk.server.settings import Limits, ServerSettings

    limits = Limits(
        rate_per_s=1e6,
        burst=10**6,
        json_bytes=2**20,
        upload_bytes=2**20,
        socket_rate_per_s=1e6,
    )
    settings = ServerSettings(processes=1, web=False, library=str(library), limits=limits)
    app = make_app(settings)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def folder(running):
    """The server's own folder; a test that leaves an upload behind fails."""
    found = running.app.state.services.folder
    yield found
    assert not list(found.glob("upload-*"))
