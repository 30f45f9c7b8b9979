/* What `feature_vectors` and `online_writes` say in Python, for the cells that are plain.

   Reads the answers to HMGET as hiredis gives them: lists of bytes, or None for a field that
   was never written. A cell is plain where it holds one number, or a time from which the
   microseconds follow without a doubt. A row with any other cell is left to Python, and so
   is one that needs the tail of a live view, so that both always say the same. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <string.h>

/* In the order of FeatureStatus. LEFT is a row for Python, FAILED an exception. */
enum { NOT_FOUND, FUTURE, EXPIRED, STALE, NULL_VALUE, PRESENT, LEFT, FAILED };

enum { INT32 = 0x18, INT64 = 0x20, DOUBLE = 0x29, FLOAT = 0x35, BOOL = 0x38 };
enum { SECONDS = 0x08, NANOS = 0x10 };

#if PY_BIG_ENDIAN
#error "cells are little-endian; without this module their twin in Python reads them"
#endif

#define MAX_SECONDS 1000000000000LL
#define NO_TIME INT64_MIN

/* As `VectorDecoder.layout` has them. `until` is -1, `ttl` 0 and `max_age` -1 for none. */
typedef struct { int64_t hash, start, until, ttl, max_age, tail; } View;
typedef struct { int64_t view, hash, index; } Output;

/* The T before which a view is exact; and the status of the row that is read. */
typedef struct { int64_t us; int known, row; } Horizon;

typedef struct { const uint8_t *data; Py_ssize_t size; } Cell;

/* The cell of a hash; size -1 for one that was never written. 0 with an exception set. */
static int cell_at(PyObject *hash, int64_t index, Cell *cell)
{
    if (index < 0 || index >= PyList_GET_SIZE(hash)) {
        PyErr_SetString(PyExc_IndexError, "an answer has fewer fields than were asked for");
        return 0;
    }
    PyObject *held = PyList_GET_ITEM(hash, index);
    if (held == Py_None) {
        cell->data = NULL;
        cell->size = -1;
        return 1;
    }
    if (!PyBytes_Check(held)) {
        PyErr_Format(PyExc_TypeError, "a field is %.80s, expected bytes", Py_TYPE(held)->tp_name);
        return 0;
    }
    cell->data = (const uint8_t *)PyBytes_AS_STRING(held);
    cell->size = PyBytes_GET_SIZE(held);
    return 1;
}

/* Where the varint at `at` ends; 0 where it does not. */
static Py_ssize_t varint(Cell cell, Py_ssize_t at, uint64_t *bits)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 70 && at < cell.size; shift += 7) {
        uint8_t byte = cell.data[at++];
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *bits = value;
            return at;
        }
    }
    return 0;
}

/* A serialised Timestamp in microseconds; 0 where it is not plain. */
static int plain_time(Cell cell, int64_t *us)
{
    uint64_t seconds = 0, nanos = 0;
    Py_ssize_t at = 0;
    if (at < cell.size && cell.data[at] == SECONDS && !(at = varint(cell, at + 1, &seconds)))
        return 0;
    if (at < cell.size && cell.data[at] == NANOS && !(at = varint(cell, at + 1, &nanos)))
        return 0;
    int64_t whole = (int64_t)seconds;
    if (at != cell.size || nanos >= 1000000000 || whole > MAX_SECONDS || whole < -MAX_SECONDS)
        return 0;
    *us = whole * 1000000 + (int64_t)(nanos / 1000);
    return 1;
}

static int plain_int64(Cell cell, int64_t *value)
{
    uint64_t bits;
    if (cell.data[0] != INT64 || varint(cell, 1, &bits) != cell.size)
        return 0;
    *value = (int64_t)bits;
    return 1;
}

/* A serialised Value that is a number; 0 where it is not plain. The cell is not empty. */
static int plain_number(Cell cell, double *value)
{
    uint64_t bits;
    uint8_t tag = cell.data[0];
    if (tag == DOUBLE && cell.size == 9) {
        memcpy(value, cell.data + 1, 8);
        return 1;
    }
    if (tag == FLOAT && cell.size == 5) {
        float single;
        memcpy(&single, cell.data + 1, 4);
        *value = single;
        return 1;
    }
    if ((tag != INT64 && tag != INT32 && tag != BOOL) || varint(cell, 1, &bits) != cell.size)
        return 0;
    *value = tag == INT64 ? (double)(int64_t)bits
           : tag == INT32 ? (double)(int32_t)(uint32_t)bits
                          : (double)(bits != 0);
    return 1;
}

/* Event and created time; a row without a created time was created at its event. */
static int plain_version(Cell event, Cell created, int64_t *event_us, int64_t *created_us)
{
    if (!plain_time(event, event_us))
        return 0;
    *created_us = *event_us;
    return created.size < 0 || plain_time(created, created_us);
}

/* From one instant to a later one. */
static int64_t since(int64_t from, int64_t t)
{
    int64_t us;
    return __builtin_sub_overflow(t, from, &us) ? INT64_MAX : us;
}

/* `status_at` of a row whose cells are neither null nor absent, and its event time. */
static int row_status(const View *view, PyObject *hash, const Horizon *horizon, int64_t t,
                      int64_t *event_at)
{
    Cell event, created, cell = {NULL, -1};
    int64_t event_us, created_us, until;
    *event_at = NO_TIME;
    if (!cell_at(hash, view->start, &event) || !cell_at(hash, view->start + 1, &created))
        return FAILED;
    if (event.size < 0)
        return NOT_FOUND;
    if (!plain_version(event, created, &event_us, &created_us))
        return LEFT;
    *event_at = event_us;
    if (event_us > t || created_us > t)
        return view->tail ? LEFT : FUTURE;
    if (view->ttl && since(event_us, t) > view->ttl)
        return EXPIRED;
    if (horizon->known && t < horizon->us)
        return PRESENT;
    if (view->until >= 0 && !cell_at(hash, view->until, &cell))
        return FAILED;
    if (cell.size > 0) {
        if (!plain_int64(cell, &until))
            return LEFT;
        if (t >= until)
            return STALE;
    }
    if (horizon->known && view->max_age >= 0 && since(horizon->us, t) > view->max_age)
        return STALE;
    return PRESENT;
}

/* One value and its status, of a row with that status. */
static int output(const Output *wanted, int row, PyObject *hash, double *value, uint8_t *code)
{
    Cell cell;
    *value = Py_NAN;
    *code = (uint8_t)row;
    if (row == NOT_FOUND)
        return row;
    if (!cell_at(hash, wanted->index, &cell))
        return FAILED;
    if (cell.size < 0)
        *code = NOT_FOUND;
    else if (cell.size == 0)
        *code = row == PRESENT ? NULL_VALUE : (uint8_t)row;
    else if (!plain_number(cell, value))
        return LEFT;
    else if (row != PRESENT && row != STALE)
        *value = Py_NAN;
    return row;
}

typedef struct {
    int64_t hashes, view_count, output_count;
    const View *views;
    const Output *outputs;
} Layout;

static int read_layout(const Py_buffer *buffer, Layout *layout)
{
    const int64_t *numbers = buffer->buf;
    Py_ssize_t count = buffer->len / 8;
    if (count < 3 || numbers[0] < 1 || numbers[0] > count || numbers[1] < 0
        || numbers[1] > count || numbers[2] < 0 || numbers[2] > count
        || count != 3 + 6 * numbers[1] + 3 * numbers[2])
        goto wrong;
    layout->hashes = numbers[0];
    layout->view_count = numbers[1];
    layout->output_count = numbers[2];
    layout->views = (const View *)(numbers + 3);
    layout->outputs = (const Output *)(numbers + 3 + 6 * numbers[1]);
    for (int64_t v = 0; v < layout->view_count; v++)
        if (layout->views[v].hash < 0 || layout->views[v].hash >= layout->hashes)
            goto wrong;
    for (int64_t o = 0; o < layout->output_count; o++)
        if (layout->outputs[o].hash < 0 || layout->outputs[o].hash >= layout->hashes
            || layout->outputs[o].view < 0 || layout->outputs[o].view >= layout->view_count)
            goto wrong;
    return 1;
wrong:
    PyErr_SetString(PyExc_ValueError, "the layout is not one of VectorDecoder");
    return 0;
}

static int fill_row(const Layout *layout, PyObject **hashes, Horizon *horizons, int64_t t,
                    double *values, uint8_t *codes, int64_t *events)
{
    for (int64_t h = 0; h < layout->hashes; h++)
        if (!PyList_Check(hashes[h])) {
            PyErr_SetString(PyExc_TypeError, "an answer to HMGET is a list");
            return FAILED;
        }
    for (int64_t v = 0; v < layout->view_count; v++) {
        const View *view = layout->views + v;
        horizons[v].row = row_status(view, hashes[view->hash], horizons + v, t, events + v);
        if (horizons[v].row >= LEFT)
            return horizons[v].row;
    }
    for (int64_t o = 0; o < layout->output_count; o++) {
        const Output *wanted = layout->outputs + o;
        int row = horizons[wanted->view].row;
        int done = output(wanted, row, hashes[wanted->hash], values + o, codes + o);
        if (done >= LEFT)
            return done;
    }
    return PRESENT;
}

static int read_horizons(PyObject *given, int64_t count, Horizon *horizons)
{
    if (PySequence_Fast_GET_SIZE(given) != count) {
        PyErr_SetString(PyExc_ValueError, "there is a horizon, or None, for each view");
        return 0;
    }
    for (int64_t v = 0; v < count; v++) {
        PyObject *us = PySequence_Fast_GET_ITEM(given, v);
        horizons[v].known = us != Py_None;
        horizons[v].us = us == Py_None ? 0 : PyLong_AsLongLong(us);
        if (horizons[v].us == -1 && PyErr_Occurred())
            return 0;
    }
    return 1;
}

static int add_number(PyObject *list, Py_ssize_t number)
{
    PyObject *item = PyLong_FromSsize_t(number);
    int failed = item == NULL || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return !failed;
}

static PyObject *fill_all(const Layout *layout, PyObject *answers, PyObject *times,
                          Horizon *horizons, Py_buffer *values, Py_buffer *codes,
                          Py_buffer *events)
{
    Py_ssize_t rows = PySequence_Fast_GET_SIZE(times), width = layout->output_count;
    if (PySequence_Fast_GET_SIZE(answers) != rows * layout->hashes
        || values->len != rows * width * 8 || codes->len != rows * width
        || events->len != rows * layout->view_count * 8) {
        PyErr_SetString(PyExc_ValueError, "answers, times and what is filled are of other sizes");
        return NULL;
    }
    PyObject *left = PyList_New(0);
    for (Py_ssize_t row = 0; left != NULL && row < rows; row++) {
        int64_t t = PyLong_AsLongLong(PySequence_Fast_GET_ITEM(times, row));
        int done = FAILED;
        if (t != -1 || !PyErr_Occurred())
            done = fill_row(layout, PySequence_Fast_ITEMS(answers) + row * layout->hashes,
                            horizons, t, (double *)values->buf + row * width,
                            (uint8_t *)codes->buf + row * width,
                            (int64_t *)events->buf + row * layout->view_count);
        if (done == FAILED || (done == LEFT && !add_number(left, row)))
            Py_CLEAR(left);
    }
    return left;
}

PyDoc_STRVAR(fill_doc,
"fill(answers, t_us, horizons, layout, values, codes, events) -> list[int]\n--\n\n"
"Fills the last three; the rows that it returns are left to `VectorDecoder`.");

static PyObject *fill(PyObject *module, PyObject *args)
{
    PyObject *answers, *times, *horizons, *left = NULL;
    Py_buffer packed, values, codes, events;
    Layout layout;
    Horizon *known = NULL;
    if (!PyArg_ParseTuple(args, "OOOy*w*w*w*", &answers, &times, &horizons, &packed, &values,
                          &codes, &events))
        return NULL;
    answers = PySequence_Fast(answers, "answers are a sequence");
    times = PySequence_Fast(times, "times are a sequence");
    horizons = PySequence_Fast(horizons, "horizons are a sequence");
    if (answers && times && horizons && read_layout(&packed, &layout)) {
        known = PyMem_New(Horizon, layout.view_count);
        if (known == NULL)
            PyErr_NoMemory();
        else if (read_horizons(horizons, layout.view_count, known))
            left = fill_all(&layout, answers, times, known, &values, &codes, &events);
    }
    PyMem_Free(known);
    Py_XDECREF(answers);
    Py_XDECREF(times);
    Py_XDECREF(horizons);
    PyBuffer_Release(&packed);
    PyBuffer_Release(&values);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&events);
    return left;
}

/* The versions of one answer, which is a list of two cells. */
static int read_version(PyObject *answer, int64_t *version)
{
    Cell event, created;
    if (!PyList_Check(answer)) {
        PyErr_SetString(PyExc_TypeError, "an answer to HMGET is a list");
        return FAILED;
    }
    if (!cell_at(answer, 0, &event) || !cell_at(answer, 1, &created))
        return FAILED;
    if (event.size < 0) {
        version[0] = version[1] = NO_TIME;
        return PRESENT;
    }
    return plain_version(event, created, version, version + 1) ? PRESENT : LEFT;
}

PyDoc_STRVAR(versions_doc,
"versions(answers, out) -> list[int]\n--\n\n"
"Fills `out`; the rows that it returns are left to `held_versions`.");

static PyObject *versions(PyObject *module, PyObject *args)
{
    PyObject *answers, *left = NULL;
    Py_buffer out;
    if (!PyArg_ParseTuple(args, "Ow*", &answers, &out))
        return NULL;
    answers = PySequence_Fast(answers, "answers are a sequence");
    if (answers != NULL && out.len != PySequence_Fast_GET_SIZE(answers) * 16)
        PyErr_SetString(PyExc_ValueError, "out has two numbers for each answer");
    else if (answers != NULL)
        left = PyList_New(0);
    for (Py_ssize_t row = 0; left != NULL && row < PySequence_Fast_GET_SIZE(answers); row++) {
        int64_t *version = (int64_t *)out.buf + 2 * row;
        int done = read_version(PySequence_Fast_GET_ITEM(answers, row), version);
        if (done == FAILED || (done == LEFT && !add_number(left, row)))
            Py_CLEAR(left);
    }
    Py_XDECREF(answers);
    PyBuffer_Release(&out);
    return left;
}

static PyMethodDef functions[] = {
    {"fill", fill, METH_VARARGS, fill_doc},
    {"versions", versions, METH_VARARGS, versions_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_vectors", NULL, 0, functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__vectors(void)
{
    return PyModuleDef_Init(&definition);
}
