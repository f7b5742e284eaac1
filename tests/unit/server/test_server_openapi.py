import pytest


@pytest.fixture(scope="module")
def document(running):
    return running.get("/openapi.json").json()


def test_names_every_route_of_the_contract(document):
    expected = {
        "/v1/predict": {"post"},
        "/v1/explain": {"post"},
        "/v1/generate": {"post"},
        "/v1/music/recommend": {"post"},
        "/v1/models": {"get"},
        "/v1/jobs/{job}": {"get", "delete"},
        "/healthz": {"get"},
        "/readyz": {"get"},
        "/metrics": {"get"},
    }
    assert {path: set(methods) for path, methods in document["paths"].items()} == expected


def test_the_examples_of_bodies_are_answered(running, document):
    n_examples = 0
    for path, methods in document["paths"].items():
        body = methods.get("post", {}).get("requestBody", {})
        for example in (
            body.get("content", {}).get("application/json", {}).get("examples", {}).values()
        ):
            if path == "/v1/explain":
                continue  # tested beside its result
            answer = running.post(path, json=example["value"], headers={"Prefer": "wait=30"})
            assert answer.status_code == 200, (path, answer.text)
            n_examples += 1
    assert n_examples == 5


def test_every_reference_leads_somewhere(document):
    known = document["components"]["schemas"]

    def look(value):
        if isinstance(value, dict):
            if isinstance(ref := value.get("$ref"), str):
                assert ref.removeprefix("#/components/schemas/") in known, ref
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    look(document)


def test_every_route_says_how_it_may_fail(document):
    for methods in document["paths"].values():
        for route in methods.values():
            assert {"400", "401", "403", "413", "429"} <= set(route["responses"])


def test_a_token_is_part_of_the_document():
    for package in ("fastapi", "prometheus_client"):
        pytest.importorskip(package, reason="needs the extra 'app'")
    from moodwalk.server.app import make_app
    from moodwalk.server.settings import ServerSettings

    document = make_app(ServerSettings(token="0123456789abcdef", web=False)).openapi()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["paths"]["/v1/predict"]["post"]["security"] == [{"token": []}]
    assert "security" not in document["paths"]["/healthz"]["get"]
    assert "0123456789abcdef" not in str(document)
