"""A server in a container."""

from contextlib import suppress
from dataclasses import dataclass

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
            container = TestContainer(images.image(client, product))
            if engine.is_own():
                container.with_kwargs(shm_size="256m", network_mode="host")
                container.with_command(list(product.arguments(port)))
            else:
                container.with_kwargs(shm_size="256m")
                container.ports[str(port)] = (product.address, port)  # type: ignore[assignment]  # Docker takes an address too
                container.with_command(list(product.arguments(port, "0.0.0.0")))
            return cls(container.start().get_container_id())

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

    def _container(self) -> DockerContainer:
        return engine.connect().containers.get(self.id)
