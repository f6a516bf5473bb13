// What pgjdbc gives: types, prepared statements, batches, cursors, COPY, errors and transactions, with autosave never and always, in each query mode.
import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

public class Jdbc {
    interface Run { Object run() throws Exception; }

    static void say(Object... words) {
        StringBuilder line = new StringBuilder();
        for (Object word : words) line.append(word).append(' ');
        System.out.println(line);
    }

    static void attempt(String name, Run run) {
        try {
            say(name, run.run());
        } catch (SQLException error) {
            say(name, error.getSQLState(), error.getMessage().replace('\n', '|'));
        } catch (Exception error) {
            say(name, error);
        }
    }

    static String rows(ResultSet rows) throws SQLException {
        ResultSetMetaData about = rows.getMetaData();
        StringBuilder text = new StringBuilder();
        for (int at = 1; at <= about.getColumnCount(); at++)
            text.append(about.getColumnName(at)).append(':').append(about.getColumnTypeName(at)).append(':').append(about.getTableName(at)).append(' ');
        while (rows.next()) {
            text.append('|');
            for (int at = 1; at <= about.getColumnCount(); at++) text.append(cell(rows, at)).append(',');
        }
        return text.toString();
    }

    static Object cell(ResultSet rows, int at) throws SQLException {
        return rows.getMetaData().getColumnTypeName(at).equals("bytea") ? java.util.Arrays.toString(rows.getBytes(at)) : rows.getString(at);
    }

    static String query(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return statement.execute(sql) ? rows(statement.getResultSet()) : "count " + statement.getUpdateCount();
        }
    }

    static void types(Connection connection) throws Exception {
        String[] values = {"true::bool", "(-7)::int2", "9007199254740993::int8", "2.25::float8", "12345.67::numeric(10,2)", "'naïve ☕'::text", "'\\x00ff'::bytea",
            "'2026-02-28'::date", "'2026-02-28 13:14:15.678901'::timestamp", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "'{\"a\":1}'::jsonb", "'{1,NULL,3}'::int[]",
            "null::int", "'[1,5)'::int4range", "'(1.5,-2)'::point", "'1 day 02:00'::interval"};
        for (String value : values) attempt(value, () -> query(connection, "select " + value + " as v"));
        try (PreparedStatement statement = connection.prepareStatement("select ?::int + 1 as a, ?::text as b, ?::numeric as c, ?::date as d, ?::bytea as e")) {
            // After five runs the driver prepares on the server and takes binary results.
            for (int turn = 0; turn < 8; turn++) {
                statement.setInt(1, turn);
                statement.setString(2, turn % 2 == 0 ? null : "x" + turn);
                statement.setBigDecimal(3, new java.math.BigDecimal("1.50"));
                statement.setDate(4, Date.valueOf("2026-02-28"));
                statement.setBytes(5, new byte[] {0, 1});
                attempt("prepared " + turn, () -> rows(statement.executeQuery()));
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("select ? = any(?)")) {
            statement.setInt(1, 2);
            statement.setArray(2, connection.createArrayOf("int4", new Object[] {1, 2}));
            attempt("array", () -> rows(statement.executeQuery()));
        }
    }

    static void batches(Connection connection) throws Exception {
        query(connection, "drop table if exists b; create table b(id serial primary key, v int check (v >= 0))");
        try (PreparedStatement statement = connection.prepareStatement("insert into b(v) values (?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int turn = 0; turn < 300; turn++) { statement.setInt(1, turn); statement.addBatch(); }
            say("batch", statement.executeBatch().length);
            attempt("keys", () -> rows(statement.getGeneratedKeys()).length());
            statement.setInt(1, 1); statement.addBatch();
            statement.setInt(1, -1); statement.addBatch();
            attempt("broken batch", () -> statement.executeBatch().length);
        }
        attempt("several", () -> { try (Statement s = connection.createStatement()) { s.execute("select 1; select 2"); s.getMoreResults(); return rows(s.getResultSet()); } });
        attempt("count", () -> query(connection, "select count(*), sum(v) from b"));
    }

    static void cursors(Connection connection) throws Exception {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(7);
            ResultSet rows = statement.executeQuery("select generate_series(1, 100)");
            int sum = 0;
            while (rows.next()) sum += rows.getInt(1);
            say("cursor", sum);
        }
        try (Statement statement = connection.createStatement()) {
            statement.setMaxRows(3);
            say("max rows", rows(statement.executeQuery("select generate_series(1, 100)")));
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void copies(Connection connection) throws Exception {
        query(connection, "drop table if exists c; create table c(a int, b text)");
        CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
        say("copy", copy.copyIn("copy c from stdin", new StringReader("1\tx\n2\t\\N\n")));
        StringWriter out = new StringWriter();
        say(copy.copyOut("copy c to stdout (format csv)", out), out.toString().replace('\n', '|'));
        attempt("bad", () -> copy.copyIn("copy c from stdin", new StringReader("x\ty\n")));
        attempt("after", () -> query(connection, "select count(*) from c"));
    }

    static void errors(Connection connection) throws Exception {
        query(connection, "drop table if exists e; create table e(id int primary key)");
        String[] queries = {"select nope", "selec 1", "select 1/0", "select 'x'::int", "", "insert into e values (1); insert into e values (1)"};
        for (String sql : queries) attempt(sql, () -> query(connection, sql));
        connection.setAutoCommit(false);
        attempt("begin", () -> query(connection, "insert into e values (7)"));
        attempt("fails", () -> query(connection, "insert into e values (7)"));
        attempt("in it", () -> query(connection, "select count(*) from e"));
        connection.rollback();
        Savepoint point = connection.setSavepoint();
        attempt("fails", () -> query(connection, "select 1/0"));
        connection.rollback(point);
        attempt("rolled back", () -> query(connection, "select count(*) from e"));
        connection.commit();
        connection.setAutoCommit(true);
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            attempt("time-out", () -> statement.execute("select pg_sleep(60)"));
        }
        attempt("about the database", () -> rows(connection.getMetaData().getColumns(null, "public", "e", null)));
    }

    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        for (String autosave : new String[] {"never", "always"}) {
            for (String mode : new String[] {"extended", "simple", "extendedForPrepared", "extendedCacheEverything"}) {
                Properties with = new Properties();
                with.setProperty("user", System.getenv("PGUSER"));
                with.setProperty("password", System.getenv("PGPASSWORD"));
                with.setProperty("autosave", autosave);
                with.setProperty("preferQueryMode", mode);
                if ("through".equals(System.getenv("HOOP_WAY"))) with.setProperty("sslmode", "require");
                say("==", autosave, mode);
                try (Connection connection = DriverManager.getConnection(url, with)) {
                    types(connection);
                    batches(connection);
                    cursors(connection);
                    copies(connection);
                    errors(connection);
                }
            }
        }
    }
}
