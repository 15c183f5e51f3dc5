"""Reads a house model in Python (needs numpy and safetensors): read_model.py models/house-demo"""
import hashlib, json, pathlib, sys
import numpy as np
from safetensors import safe_open

def read(file):
    """Its tensors as float32 by name; an int8 matrix times its scale per row is the weight."""
    with safe_open(file, framework="np") as f:
        stored = {name: f.get_tensor(name) for name in f.keys()}
    int8 = {name for name, tensor in stored.items() if tensor.dtype == np.int8}
    scales = {name + ".scale" for name in int8}
    tensors = {name: tensor for name, tensor in stored.items() if name not in scales}
    for name in int8:
        rows = stored[name + ".scale"].reshape(-1, *[1] * (stored[name].ndim - 1))
        tensors[name] = stored[name].astype(np.float32) * rows
    return tensors

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    tensors = read(folder / "model.safetensors")
    for name, tensor in sorted(tensors.items()):
        print(f"{name:44} {str(tensor.shape):16} {np.abs(tensor).max():.6g}")
    card = json.loads((folder / "card.json").read_text())["card"]
    print(f"{sum(tensor.size for tensor in tensors.values())} numbers; learned from:")
    for heard in card.pop("recordings"):
        print(" ", heard["isrc"], heard["artist"], "(held out)" if heard["heldOut"] else "")
    print(json.dumps(card, indent=1))
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    sys.exit(None if card["id"] == "sha256:" + digest else "The weights are not the card's.")
