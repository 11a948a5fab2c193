"""The servers that the test run itself stands on."""

import psycopg2
import redis

from tests.servers import StackServers


def test_the_database_is_new_and_the_broker_empty(stack_servers: StackServers) -> None:
    connection = psycopg2.connect(stack_servers.database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchone() == (0,)
    connection.close()
    with redis.Redis.from_url(stack_servers.broker_url) as client:
        assert client.dbsize() == 0
