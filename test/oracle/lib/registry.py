"""Files of packages of the registry, by its ordinary client: fetched once,
kept in $EMBED_CACHE or a directory beside the temporary ones."""

import os
import subprocess
import sys
import tempfile
import zipfile


def package(name, version):
    """The directory of what the package holds, or None."""
    cache = os.path.join(os.environ.get('EMBED_CACHE') or os.path.join(tempfile.gettempdir(), 'embed-models'), 'models')
    target = os.path.join(cache, '%s-%s' % (name, version))
    if os.path.isdir(target):
        return target
    os.makedirs(cache, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as fetched:
        done = subprocess.run([sys.executable, '-m', 'pip', 'download', '-q', '--no-deps', '-d', fetched,
                               '%s==%s' % (name, version)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wheels = [f for f in os.listdir(fetched) if f.endswith('.whl')]
        if done.returncode != 0 or not wheels:
            return None
        unpacked = tempfile.mkdtemp(dir=cache)
        with zipfile.ZipFile(os.path.join(fetched, wheels[0])) as archive:
            archive.extractall(unpacked)
        os.rename(unpacked, target)
    return target
