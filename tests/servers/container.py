"""A server in a container."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from docker.errors import NotFound
from docker.models.containers import Container as DockerContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer as TestContainer

from . import engine, images
from .catalog import Product

# Servers may outlive the process that starts them (`python -m tests.servers up`); Ryuk would remove them.
testcontainers_config.ryuk_disabled = True


@dataclass(frozen=True)
class Container:
    """Runs at a fixed port, so that it comes back where clients look for it."""

    id: str

    @classmethod
    def create(cls, product: Product, port: int) -> "Container":
        with engine.session() as client:
            image = images.image(client, product)
            container = TestContainer(image)
            options: dict[str, Any] = {"shm_size": "256m"}
            command: list[str] = []
            if product.disk_mib:
                container.with_tmpfs_mount("/disk", f"size={product.disk_mib}m,mode=1777")
                options["entrypoint"] = [*_MOVE, *client.images.get(image).attrs["Config"]["Entrypoint"]]
                command += _DISK_DATA[product.backend]
            if product.folder:
                container.with_volume_mapping(str(product.folder), str(product.folder), "ro")
            if engine.is_own():
                container.with_kwargs(**options, network_mode="host")
                command += product.arguments(port)
            else:
                container.with_kwargs(**options)
                container.ports[str(port)] = (product.address, port)  # type: ignore[assignment]  # Docker takes an address too
                command += product.arguments(port, "0.0.0.0")
            return cls(container.with_command(command).start().get_container_id())

    def start(self) -> None:
        with engine.session() as client:
            client.containers.get(self.id).start()

    def stop(self) -> None:
        self._container().stop(timeout=60)

    def kill(self) -> None:
        container = self._container()
        container.kill()
        container.wait()

    def running(self) -> bool:
        return self._container().status == "running"

    def remove(self) -> None:
        with suppress(NotFound):
            self._container().remove(force=True, v=True)

    def log(self) -> str:
        return str(self._container().logs(tail=20).decode())

    def fill_disk(self) -> None:
        """To the last byte; of a disk of its own, and no other."""
        assert self._run("df --output=fstype /disk").split()[-1] == "tmpfs"
        for size in ("1M", "1k"):
            self._run(f"cat /dev/zero | dd of=/disk/ballast bs={size} oflag=append conv=notrunc")

    def free_disk(self) -> None:
        self._run("rm /disk/ballast")

    def _run(self, command: str) -> str:
        output = self._container().exec_run(["sh", "-c", command]).output
        assert isinstance(output, bytes)
        return output.decode()

    def _container(self) -> DockerContainer:
        return engine.connect().containers.get(self.id)


# What the image has for data, whole, to a disk in memory, which is gone when the container stops.
_MOVE = ("sh", "-c", 'cp -a --sparse=never /data /disk/data && exec "$@"', "sh")
_DISK_DATA = {"mysql": ["--datadir=/disk/data"], "postgresql": ["-D", "/disk/data"]}
