"""RabbitMQ: connections, confirms, the exchanges and queues, and what this user may do there."""
