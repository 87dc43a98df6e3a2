"""What a stack on one machine needs: Java, jars, a broker, a supervisor."""
