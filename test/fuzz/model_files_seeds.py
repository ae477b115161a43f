"""model_files_seeds.py: writes the seeds of the targets json, safetensors,
gguf, hdf5, tar and folder.

    python3 test/fuzz/model_files_seeds.py

Small files put together by hand, so that no package is needed; HDF5 is made
by h5py where there is one.  The first bytes of some seeds choose what the
target does (see each target).
"""
import io
import json
import os
import struct
import tarfile

here = os.path.dirname(os.path.abspath(__file__))


def seed(target, name, data):
    folder = os.path.join(here, "seeds", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


# --- JSON ---------------------------------------------------------------

config = b'{"model_type":"bert","hidden_size":384,"layer_norm_eps":1e-12,"x":[true,false,null,-0.5,1E+3]}'
strings = b'["\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\xc3\xa9\xe4\xb8\xad", "", "\\u0000"]'
vocabulary = json.dumps({"model": {"vocab": {"t%d" % i: i for i in range(30)}, "merges": [["a", "b"]]}}).encode()
seed("json", "config", b"\0" + config)
seed("json", "strings", b"\0" + strings)
seed("json", "vocabulary", b"\0" + vocabulary)
seed("json", "duplicates", b'\1{"a":1,"b":{"a":2},"a":[3]}')
seed("json", "many_duplicates", b"\1{" + b",".join(b'"k%d":%d' % (i % 9, i) for i in range(25)) + b"}")
seed("json", "surrogates", b'\2["\\ud800","\\udc00x","\\ud800\\ud801"]')
seed("json", "deep", b"\0" + b"[" * 130 + b"]" * 130)
seed("json", "little_memory", b"\x80" + vocabulary)
seed("json", "numbers", b"\0[0,-1,9223372036854775807,-9223372036854775808,9223372036854775808,1e400,0.1e-7]")

# --- safetensors --------------------------------------------------------


def safetensors(tensors, metadata=None, data=None):
    head, offset = {}, 0
    if metadata is not None:
        head["__metadata__"] = metadata
    for name, dtype, shape, size in tensors:
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + (bytes(range(offset % 256)) * 2 + bytes(offset))[:offset]


seed("safetensors", "plain", b"\0" + safetensors([("a", "F32", [2, 3], 24), ("b", "I8", [3], 3)], {"format": "pt"}))
seed("safetensors", "types", b"\0" + safetensors(
    [("t%d" % i, dtype, [2], 2 * size) for i, (dtype, size) in enumerate(
        [("F64", 8), ("F16", 2), ("BF16", 2), ("U8", 1), ("I16", 2), ("U16", 2), ("I32", 4), ("U32", 4),
         ("I64", 8), ("U64", 8), ("BOOL", 1)])]))
seed("safetensors", "empty", b"\0" + safetensors([]))
seed("safetensors", "odd_shapes", b"\0" + safetensors([("s", "F32", [], 4), ("z", "F32", [0, 5], 0)]))
seed("safetensors", "hole", b"\0" + safetensors([("a", "F32", [1], 4)])[:-1])
seed("safetensors", "long_head", b"\0" + struct.pack("<Q", 1 << 62) + b"{}")
seed("safetensors", "index", b'\1{"metadata":{},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}')
seed("safetensors", "index_escape", b'\1{"weight_map":{"a":"../1.safetensors"}}')

# --- GGUF ---------------------------------------------------------------


def text(value):
    return struct.pack("<Q", len(value)) + value


def value(key, kind, data):
    return text(key) + struct.pack("<I", kind) + data


def array(key, kind, count, data):
    return text(key) + struct.pack("<IIQ", 9, kind, count) + data


def gguf(values, tensors, alignment=32, version=3):
    data = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values)) + b"".join(values)
    offset = 0
    for name, shape, kind, size in tensors:
        data += text(name) + struct.pack("<I", len(shape)) + struct.pack("<%dQ" % len(shape), *shape)
        data += struct.pack("<IQ", kind, offset)
        offset += -(-size // alignment) * alignment
    if not tensors:
        return data
    data += bytes(-len(data) % alignment)
    for name, shape, kind, size in tensors:
        data += (bytes(range(1, 200)) * 2)[:size] + bytes(-size % alignment)
    return data


values = [value(b"general.architecture", 8, text(b"bert")), value(b"u8", 0, b"\1"), value(b"i8", 1, b"\xff"),
          value(b"u16", 2, b"\1\2"), value(b"i16", 3, b"\1\2"), value(b"u32", 4, b"\1\2\3\4"),
          value(b"f32", 6, struct.pack("<f", 1.5)), value(b"yes", 7, b"\1"), value(b"u64", 10, bytes(8)),
          value(b"f64", 12, struct.pack("<d", 0.1)),
          array(b"tokenizer.ggml.tokens", 8, 3, text(b"[PAD]") + text(b"") + text(b"\xe2\x96\x81a")),
          array(b"tokenizer.ggml.scores", 6, 2, struct.pack("<ff", 0, -1)), array(b"bools", 7, 2, b"\0\1")]
tensors = [(b"a.weight", [3, 2], 0, 24), (b"h", [4], 1, 8), (b"b", [4], 30, 8)]
blocks = [(b"q%d" % kind, [elements], kind, size) for kind, elements, size in
          ((2, 32, 18), (3, 32, 20), (6, 32, 22), (7, 32, 24), (8, 32, 34), (12, 256, 144), (13, 256, 176),
           (14, 256, 210))]
seed("gguf", "values", b"\0\0" + gguf(values, tensors))
seed("gguf", "blocks", b"\0\0" + gguf([], blocks))
seed("gguf", "alignment", b"\0\0" + gguf([value(b"general.alignment", 4, struct.pack("<I", 8))], tensors, 8))
seed("gguf", "vocabulary", b"\0\0" + gguf(values, [], version=2))


def part(number, name):
    return gguf([value(b"split.no", 2, struct.pack("<H", number)), value(b"split.count", 2, struct.pack("<H", 2)),
                 value(b"split.tensors.count", 5, struct.pack("<i", 2))], [(name, [2], 0, 8)])


seed("gguf", "parts", struct.pack("<H", len(part(0, b"a"))) + part(0, b"a") + part(1, b"b"))

# --- tar ----------------------------------------------------------------

members = [("config.json", b"{}"), ("1_Pooling/config.json", b"x" * 600), ("n" * 120 + "/" + "m" * 90, b"long"),
           ("caf\u00e9.txt", b"name")]
for name, form in (("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
    stream = io.BytesIO()
    archive = tarfile.open(fileobj=stream, mode="w", format=form)
    for path, data in members:
        info = tarfile.TarInfo(path)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "config.json"
    archive.addfile(link)
    folder = tarfile.TarInfo("./1_Pooling")
    folder.type = tarfile.DIRTYPE
    archive.addfile(folder)
    archive.close()
    data = stream.getvalue()
    seed("tar", name, b"\0" + data[:len(data.rstrip(b"\0")) // 512 * 512 + 512 + 1024])
    seed("tar", name + "_sums", b"\1" + data[:1024])

# --- folder -------------------------------------------------------------

names = ["config.json", "modules.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json",
         "2_Dense/config.json", "2_Dense/model.safetensors", "sentence_bert_config.json",
         "config_sentence_transformers.json", "tokenizer_config.json", "model.safetensors.index.json",
         "a.safetensors", "b.safetensors", "options.json", "weights.hdf5", "a.gguf", "b.gguf", "vocab.txt"]


def folder(name, **files):
    seed("folder", name, b"".join(bytes([names.index(key)]) + struct.pack("<H", len(data)) + data
                                  for key, data in files.items()))


def module(path, kind):
    return {"idx": 0, "name": "0", "path": path, "type": "sentence_transformers.models." + kind}


def text_of(value):
    return json.dumps(value).encode()


one = safetensors([("w", "F32", [2], 8)])
folder("transformer", **{
    "config.json": text_of({"model_type": "bert", "max_position_embeddings": 512}), "tokenizer.json": b"{}",
    "modules.json": text_of([module("", "Transformer"), module("1_Pooling", "Pooling"), module("2_Dense", "Dense"),
                             module("3_Normalize", "Normalize")]),
    "1_Pooling/config.json": text_of({"word_embedding_dimension": 2, "pooling_mode_mean_tokens": True}),
    "2_Dense/config.json": text_of({"in_features": 2, "out_features": 3, "bias": True,
                                    "activation_function": "torch.nn.modules.linear.Identity"}),
    "2_Dense/model.safetensors": safetensors([("linear.weight", "F32", [3, 2], 24), ("linear.bias", "F32", [3], 12)]),
    "sentence_bert_config.json": text_of({"max_seq_length": 256, "do_lower_case": False}),
    "config_sentence_transformers.json": text_of({"prompts": {"query": "q: "}, "default_prompt_name": "query"}),
    "tokenizer_config.json": text_of({"model_max_length": 10 ** 30}), "model.safetensors": one})
folder("static", **{
    "config.json": text_of({"model_type": "model2vec", "normalize": True}), "tokenizer.json": b"{}",
    "modules.json": text_of([module(".", "StaticEmbedding"), module("1_Normalize", "Normalize")]),
    "model.safetensors": safetensors([("embeddings", "F16", [3, 2], 12), ("mapping", "I32", [4], 16),
                                      ("weights", "F32", [4], 16)])})
folder("shards", **{
    "config.json": text_of({"model_type": "bert"}), "vocab.txt": b"a",
    "model.safetensors.index.json": text_of({"weight_map": {"w": "a.safetensors", "v": "b.safetensors"}}),
    "a.safetensors": one, "b.safetensors": safetensors([("v", "I8", [4], 4), ("w", "I8", [1], 1)])})
folder("gguf", **{"a.gguf": part(1, b"b"), "b.gguf": part(0, b"a")})
folder("elmo", **{"options.json": text_of({"lstm": {}, "char_cnn": {}}), "weights.hdf5": b"\x89HDF\r\n\x1a\n"})
# found by the target: no padding before the data, of which there is none
folder("empty_tensor", **{"a.gguf": gguf([], [(b"", [0], 0, 0)]).rstrip(b"\0") + b"\0" * 8})
folder("tokenizer", **{"tokenizer.json": b"{}"})

# --- HDF5 ---------------------------------------------------------------

try:
    import h5py
    import numpy
except ImportError as missing:
    print("no seeds of hdf5: %s" % missing)
else:
    def hdf5(name, **options):
        path = os.path.join(here, "seeds", "hdf5", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path):
            os.remove(path)
        return h5py.File(path, "w", libver=options.pop("libver", "earliest"))

    with hdf5("plain") as file:
        file.create_dataset("char_embed", data=numpy.arange(6, dtype="<f4").reshape(2, 3), track_times=False)
        file.create_dataset("CNN/b", data=numpy.arange(2, dtype="<f8"), track_times=False)
        file["CNN"].attrs["note"] = "x"
    with hdf5("chunks") as file:
        file.create_dataset("a", data=numpy.zeros((4, 4), "<f4"), chunks=(2, 2), compression="gzip", track_times=False)
    with hdf5("types") as file:
        file.create_dataset("i", data=numpy.zeros(2, "<i4"), track_times=False)
    with hdf5("new_groups", libver="latest") as file:
        file.create_dataset("a", data=numpy.zeros(2, "<f4"), track_times=False)
