"""The example files for launchers of clusters, by the schemas of Ray and of Kubernetes."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT

FOLDER = ROOT / "examples" / "cluster"
GROUP = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}


def test_rays_launcher_takes_the_file():
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    jsonschema.validate(yaml.safe_load((FOLDER / "ray-up.yaml").read_text()), schema)


def test_kuberay_takes_the_file():
    """Its pods by the schema of Kubernetes; what stands around them by the names that KubeRay documents."""
    kubernetes = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    cluster = yaml.safe_load((FOLDER / "kuberay.yaml").read_text())
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    spec = cluster["spec"]
    assert spec.keys() == {"rayVersion", "headGroupSpec", "workerGroupSpecs"}
    assert spec["headGroupSpec"].keys() <= GROUP and all(group.keys() == GROUP for group in spec["workerGroupSpecs"])
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, **group["template"]}
        kubernetes.validate(pod, kubernetes.latest_version(), strict=True)
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
