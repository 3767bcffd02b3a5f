"""The worker process: after calls it drains, seals, mails and destroys. It composes storage and mailer."""
