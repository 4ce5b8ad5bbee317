#include "remote_exec/daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kMessageBytes = 1024, kLineBytes = 8192 };

static const char *const kLevelNames[] = {"info", "warning", "error"};

// Escapes for a JSON string; the same keeps a text line one line. Returns the end of what was written.
static char *append_escaped(char *end, const char *limit, const char *text) {
  for (; *text != '\0' && limit - end > 7; ++text) {
    const unsigned char byte = (unsigned char)*text;
    if (byte == '"' || byte == '\\') {
      *end++ = '\\';
      *end++ = (char)byte;
    } else if (byte < 0x20 || byte == 0x7f) {
      end += snprintf(end, 7, "\\u%04x", byte);
    } else {
      *end++ = (char)byte;
    }
  }
  return end;
}

static char *append_text(char *end, const char *limit, const char *text) {
  const size_t length = strnlen(text, (size_t)(limit - end));
  memcpy(end, text, length);
  return end + length;
}

static void format_time(char *out_text, size_t size) {
  struct timespec now;
  struct tm parts;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &parts);
  char seconds[32];
  strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(out_text, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

static char *format_text(char *end, const char *limit, const char *time, const char *level, const char *peer,
                         const char *message) {
  end = append_text(end, limit, time);
  end = append_text(end, limit, " ");
  end = append_text(end, limit, level);
  end = append_text(end, limit, " ");
  if (peer != NULL) {
    end = append_text(end, limit, "[");
    end = append_escaped(end, limit, peer);
    end = append_text(end, limit, "] ");
  }
  return append_escaped(end, limit, message);
}

static char *format_json(char *end, const char *limit, const char *time, const char *level, const char *peer,
                         const char *message) {
  end = append_text(end, limit, "{\"time\": \"");
  end = append_text(end, limit, time);
  end = append_text(end, limit, "\", \"level\": \"");
  end = append_text(end, limit, level);
  if (peer != NULL) {
    end = append_text(end, limit, "\", \"peer\": \"");
    end = append_escaped(end, limit, peer);
  }
  end = append_text(end, limit, "\", \"message\": \"");
  end = append_escaped(end, limit, message);
  return append_text(end, limit, "\"}");
}

void genie_log_write(const genie_log_t *log, genie_log_level_t level, const char *peer, const char *format, ...) {
  char message[kMessageBytes], line[kLineBytes], time[64];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  format_time(time, sizeof(time));
  const char *limit = line + sizeof(line) - 4;
  char *end = log->is_json ? format_json(line, limit, time, kLevelNames[level], peer, message)
                           : format_text(line, limit, time, kLevelNames[level], peer, message);
  *end++ = '\n';
  // A log that nobody reads is no reason to stop.
  if (write(log->file, line, (size_t)(end - line)) < 0) {
    return;
  }
}

void genie_log_take_status(const genie_log_t *log, genie_log_level_t level, const char *peer, genie_status_t status) {
  if (status != GENIE_OK) {
    genie_log_write(log, level, peer, "%s: %s", genie_status_code_name(genie_status_code(status)),
                    genie_status_message(status));
    genie_status_free(status);
  }
}
