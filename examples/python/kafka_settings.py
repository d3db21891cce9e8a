"""Where Kafka is and how it is spoken to: from the same variables that Sluice reads."""

import os


def kafka_settings() -> dict[str, str]:
    """Settings for a client of confluent-kafka; without any variable, a Kafka on this machine."""
    settings = {"bootstrap.servers": os.environ.get("KAFKA_BROKERS", "localhost:9092")}
    for name, variable in {
        "security.protocol": "KAFKA_SECURITY_PROTOCOL",
        "sasl.mechanism": "KAFKA_SASL_MECHANISM",
        "sasl.username": "KAFKA_SASL_USERNAME",
        "sasl.password": "KAFKA_SASL_PASSWORD",
        "ssl.ca.location": "KAFKA_SSL_CA_LOCATION",
        "ssl.certificate.location": "KAFKA_SSL_CERTIFICATE_LOCATION",
        "ssl.key.location": "KAFKA_SSL_KEY_LOCATION",
        "ssl.key.password": "KAFKA_SSL_KEY_PASSWORD",
    }.items():
        if os.environ.get(variable):
            settings[name] = os.environ[variable]
    if settings.get("security.protocol", "").startswith("SASL"):
        settings.setdefault("sasl.mechanism", "PLAIN")
    return settings


def topic(name: str) -> str:
    """The name of a topic with the prefix that the services have."""
    return os.environ.get("SLUICE_PREFIX", "") + name
